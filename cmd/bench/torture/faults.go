package torture

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"strings"
)

// faults are ways to damage the bytes of a file. The random ones are worth
// repeating.
var faults = []struct {
	name   string
	random bool
	do     func(raw []byte, rng *rand.Rand) []byte
}{
	{"empty", false, func([]byte, *rand.Rand) []byte { return nil }},
	{"one byte", false, func(raw []byte, _ *rand.Rand) []byte { return raw[:1] }},
	{"zeros", false, func(raw []byte, _ *rand.Rand) []byte { return make([]byte, len(raw)) }},
	{"cut short", true, func(raw []byte, rng *rand.Rand) []byte { return raw[:rng.IntN(len(raw))] }},
	{"last byte missing", false, func(raw []byte, _ *rand.Rand) []byte { return raw[:len(raw)-1] }},
	{"garbage behind", false, func(raw []byte, _ *rand.Rand) []byte {
		return append(bytes.Clone(raw), "\x00]}>garbage\x1b]0;title\x07"...)
	}},
	{"garbage before", false, func(raw []byte, _ *rand.Rand) []byte { return append([]byte("\xff\xfe\x1b[2J"), raw...) }},
	{"twice", false, func(raw []byte, _ *rand.Rand) []byte { return append(bytes.Clone(raw), raw...) }},
	{"a bit flipped", true, func(raw []byte, rng *rand.Rand) []byte {
		out := bytes.Clone(raw)
		out[rng.IntN(len(out))] ^= 1 << rng.IntN(8)
		return out
	}},
	{"bits flipped near the start", true, func(raw []byte, rng *rand.Rand) []byte {
		out := bytes.Clone(raw)
		for range 3 {
			out[rng.IntN(min(len(out), 256))] ^= 1 << rng.IntN(8)
		}
		return out
	}},
	{"bytes set to 255", true, func(raw []byte, rng *rand.Rand) []byte {
		out := bytes.Clone(raw)
		at := rng.IntN(min(len(out), 512))
		for i := at; i < min(at+8, len(out)); i++ {
			out[i] = 255
		}
		return out
	}},
	{"a piece repeated", true, func(raw []byte, rng *rand.Rand) []byte {
		a := rng.IntN(len(raw))
		b := a + rng.IntN(len(raw)-a)
		b = min(b, a+4096)
		return bytes.Join([][]byte{raw[:b], bytes.Repeat(raw[a:b], 50), raw[b:]}, nil)
	}},
	{"a number beyond all ranges", true, func(raw []byte, rng *rand.Rand) []byte {
		return replaceNumber(raw, rng, []string{"-1", "1e999", "NaN", "99999999999999999999", "-9223372036854775808", "0", "4294967296", "1e-400", "null", `"x"`}[rng.IntN(10)])
	}},
	{"control characters in a text", true, func(raw []byte, rng *rand.Rand) []byte {
		return replaceLetters(raw, rng, "\x1b]0;owned\x07\x1b[31m\u202e")
	}},
	{"escapes for control characters in a text", true, func(raw []byte, rng *rand.Rand) []byte {
		return replaceLetters(raw, rng, `\u001b]0;owned\u0007&#x9;`)
	}},
	{"a path out of the folder in a text", true, func(raw []byte, rng *rand.Rand) []byte {
		return replaceLetters(raw, rng, "../../../../etc/passwd")
	}},
	{"a text of 4 MB", true, func(raw []byte, rng *rand.Rand) []byte {
		return replaceLetters(raw, rng, strings.Repeat("long ", 800_000))
	}},
	{"deep brackets", false, func(raw []byte, _ *rand.Rand) []byte { return bytes.Repeat([]byte("[{\"a\":"), 300_000) }},
	{"deep brackets inside", true, func(raw []byte, rng *rand.Rand) []byte {
		return replaceNumber(raw, rng, strings.Repeat("[", 1_000_000))
	}},
	{"deep elements", false, func(raw []byte, _ *rand.Rand) []byte { return bytes.Repeat([]byte("<a>"), 1_000_000) }},
	{"one line of 32 MB", false, func([]byte, *rand.Rand) []byte { return bytes.Repeat([]byte("1,2;3 "), 32<<20/6) }},
	{"lines without end", false, func([]byte, *rand.Rand) []byte { return bytes.Repeat([]byte("0 .1 .1 .2 .2\n"), 500_000) }},
	{"UTF-16", false, func(raw []byte, _ *rand.Rand) []byte {
		out := []byte{0xff, 0xfe}
		for _, b := range raw {
			out = append(out, b, 0)
		}
		return out
	}},
	{"a length of 2^62 in front", false, func(raw []byte, _ *rand.Rand) []byte {
		out := bytes.Clone(raw)
		if len(out) >= 8 {
			binary.LittleEndian.PutUint64(out, 1<<62)
		}
		return out
	}},
	{"another kind of file", false, func([]byte, *rand.Rand) []byte { return []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00") }},
	{"a header of 16384×16384 pixels", false, func(raw []byte, _ *rand.Rand) []byte { return resized(raw, 16384, false) }},
	{"a progressive header of 16384×16384 pixels", false, func(raw []byte, _ *rand.Rand) []byte { return resized(raw, 16384, true) }},
	{"a progressive header of 7000×7000 pixels", false, func(raw []byte, _ *rand.Rand) []byte { return resized(raw, 7000, true) }},
	{"a header of 2^31-1 pixels a side", false, func(raw []byte, _ *rand.Rand) []byte { return resized(raw, 1<<31-1, false) }},
	{"random bytes", true, func(raw []byte, rng *rand.Rand) []byte {
		out := make([]byte, len(raw))
		for i := range out {
			out[i] = byte(rng.Uint32())
		}
		return out
	}},
}

// replaceNumber puts text in place of one number, if there is one.
func replaceNumber(raw []byte, rng *rand.Rand, text string) []byte {
	return replaceOne(raw, rng, text, func(b byte) bool { return b >= '0' && b <= '9' || b == '.' || b == '-' })
}

func replaceLetters(raw []byte, rng *rand.Rand, text string) []byte {
	return replaceOne(raw, rng, text, func(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_' })
}

// replaceOne puts text in place of one run of such bytes, looked for from a
// random place.
func replaceOne(raw []byte, rng *rand.Rand, text string, of func(byte) bool) []byte {
	at := rng.IntN(len(raw))
	is := func(b rune) bool { return b < 128 && of(byte(b)) }
	from := bytes.IndexFunc(raw[at:], is)
	if from < 0 {
		return raw
	}
	from += at
	to := from
	for to < len(raw) && of(raw[to]) {
		to++
	}
	return bytes.Join([][]byte{raw[:from], []byte(text), raw[to:]}, nil)
}

const pipe = "a pipe"

// inPlace put something else where a file is expected.
var inPlace = []struct {
	name string
	do   func(path string) error
}{
	{"a folder in its place", func(path string) error { return os.Mkdir(path, 0o755) }},
	{"a link to nothing", func(path string) error { return os.Symlink("/nowhere/at/all", path) }},
	{"a link to itself", func(path string) error { return os.Symlink(path, path) }},
	{"a link to a device without end", func(path string) error { return os.Symlink("/dev/zero", path) }},
	{pipe, makePipe},
	{"a PNG of 16384×16384 grey pixels", bomb(16384, false)},
	{"a PNG of 6000×6000 pixels of 16 bits", bomb(6000, true)},
	{"a sparse file of 60 GB", func(path string) error {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return f.Truncate(60e9)
	}},
}
