package configs

// TestTime is one more way to run the trained networks over the validation
// split, a row of its own in the table: multi-scale, mirrored, refined.
type TestTime struct {
	Scales []float64 `toml:"scales"` // logits averaged [those of eval.scales]
	Flip   bool      `toml:"flip"`
	CRF    bool      `toml:"crf"` // dense CRF on the softmax (docs/sources.md §8.1)
}

func (t TestTime) validate(v *validator, key string) {
	for _, s := range t.Scales {
		v.that(s >= 0.05 && s <= 10, key+".scales", s, "numbers in [0.05, 10]")
	}
}
