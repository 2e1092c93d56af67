package text

import (
	"encoding/xml"
	"io"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
)

func encode(t *testing.T, name, s string) string {
	t.Helper()
	enc, err := htmlindex.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	out, err := enc.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestReader(t *testing.T) {
	const plain = "image;class\nKüche;Schraube\n"
	le, err := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder().String(plain)
	if err != nil {
		t.Fatal(err)
	}
	be, err := unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder().String(plain)
	if err != nil {
		t.Fatal(err)
	}
	latin, err := charmap.ISO8859_1.NewEncoder().String(plain)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, encoding, raw, want string }{
		{"utf-8", "", plain, plain},
		{"mark", "", "\ufeff" + plain, plain},
		{"mark and name", "utf-8", "\ufeff" + plain, plain},
		{"utf-16 le", "", "\xff\xfe" + le, plain},
		{"utf-16 be", "", be, plain},
		{"utf-16 unmarked", "", le, plain},
		{"latin-1", "", latin, plain},
		{"named", "gbk", encode(t, "gbk", "螺丝\n"), "螺丝\n"},
		{"carriage returns", "", "a\rb\r", "a\nb\n"},
		{"windows line ends", "", "a\r\nb\r\n", "a\r\nb\r\n"},
		{"empty", "", "", ""},
		{"cut at the look", "", strings.Repeat("a", looked-1) + "ü", strings.Repeat("a", looked-1) + "ü"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := Reader(strings.NewReader(tc.raw), tc.encoding)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != tc.want {
				t.Errorf("%.80q, error %v: want %.80q", got, err, tc.want)
			}
		})
	}
	if _, err := Reader(strings.NewReader(""), "klingon"); err == nil || !strings.Contains(err.Error(), `"klingon"`) {
		t.Errorf("error %v does not name the encoding", err)
	}
}

func TestXML(t *testing.T) {
	le, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(`<?xml version="1.0" encoding="UTF-16"?><a>décor</a>`)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, raw, want string }{
		{"plain", "<a>décor</a>", "décor"},
		{"mark", "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><a>décor</a>", "décor"},
		{"latin-1", "<?xml version='1.0' encoding='ISO-8859-1'?><a>d\xe9cor</a>", "décor"},
		{"windows-1252", `<?xml version="1.0" encoding="windows-1252"?><a>` + "\x80</a>", "€"},
		{"utf-16", le, "décor"},
		{"gbk", `<?xml version="1.0" encoding="GBK"?><a>` + encode(t, "gbk", "螺丝") + "</a>", "螺丝"},
		{"shift_jis", `<?xml version="1.0" encoding="Shift_JIS"?><a>` + encode(t, "shift_jis", "ねじ") + "</a>", "ねじ"},
		{"not what it claims", `<?xml version="1.0" encoding="UTF-8"?><a>` + "d\xe9cor</a>", "décor"},
		{"says nothing", "<a>d\xe9cor</a>", "décor"},
		{"ascii", `<?xml version="1.0" encoding="us-ascii"?><a>d</a>`, "d"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dec, err := NewXMLDecoder(strings.NewReader(tc.raw))
			if err != nil {
				t.Fatal(err)
			}
			var v struct {
				XMLName xml.Name
				Text    string `xml:",chardata"`
			}
			if err := dec.Decode(&v); err != nil || v.Text != tc.want {
				t.Errorf("%q, error %v: want %q", v.Text, err, tc.want)
			}
		})
	}
	dec, err := NewXMLDecoder(strings.NewReader(`<?xml version="1.0" encoding="klingon"?><a/>`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dec.Token(); err == nil || !strings.Contains(err.Error(), `"klingon"`) {
		t.Errorf("error %v does not name the encoding", err)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("\xff\xfea\x00"), "")
	f.Add([]byte("a\r\xe9"), "latin1")
	f.Fuzz(func(t *testing.T, raw []byte, name string) {
		r, err := Reader(strings.NewReader(string(raw)), name)
		if err != nil {
			return
		}
		if out, err := io.ReadAll(r); err == nil && len(out) > 8*len(raw)+8 {
			t.Errorf("%d bytes became %d", len(raw), len(out))
		}
		if dec, err := NewXMLDecoder(strings.NewReader(string(raw))); err == nil {
			for range 1000 {
				if _, err := dec.RawToken(); err != nil {
					break
				}
			}
		}
	})
}

// TestSmallFilesTakeLittle: a label file of a few lines takes no more memory
// than a few lines do; data sets have a hundred thousand of them.
func TestSmallFilesTakeLittle(t *testing.T) {
	const files = 100
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range files {
		r, err := Reader(strings.NewReader("0 0.5 0.5 0.1 0.1\n"), "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / files; n > 64<<10 {
		t.Errorf("%d bytes for a file of 18", n)
	}
}
