package gdino

import "testing"

// FuzzCaptions: whatever the phrases, captions stay within their limit, and
// the spans within the captions.
func FuzzCaptions(f *testing.F) {
	f.Add("cat", "dining table", 12)
	f.Add("a.b?c", "monitor/tv", 8)
	f.Add("[SEP] [CLS]", "ÄÖ\xff", 256)
	bert := words(f)
	f.Fuzz(func(t *testing.T, a, b string, limit int) {
		list, err := Captions(bert, []Class{{Index: 1, Phrase: a}, {Index: 2, Phrase: b}}, limit, false)
		if err != nil {
			return
		}
		for _, c := range list {
			if len(c.IDs) > limit {
				t.Fatalf("%d tokens, the limit is %d", len(c.IDs), limit)
			}
			for i := range c.classes {
				if c.from[i] < 1 || c.to[i] > len(c.IDs)-1 || c.from[i] >= c.to[i] {
					t.Fatalf("span %d..%d of %d tokens", c.from[i], c.to[i], len(c.IDs))
				}
			}
			mask, positions := Phrases(bert, c.IDs)
			for i, p := range positions {
				if p < 0 || int(p) >= len(c.IDs) || !mask[i*len(c.IDs)+i] {
					t.Fatalf("position %d of token %d", p, i)
				}
			}
		}
	})
}
