package configs

// Row is a row of a registered kind: something that labels the validation split.
type Row struct {
	Name      string         `toml:"name"`      // in the table
	Kind      string         `toml:"kind"`      // a registered one, such as onnx
	Options   map[string]any `toml:"options"`   // the kind's own keys
	Published string         `toml:"published"` // the row of a paper that this is, "box2024 1 17"
}

func (r Row) validate(v *validator, key string) {
	v.that(r.Name != "", key+".name", r.Name, "a name for the table")
	v.plugIn(key+".kind", r.Kind, RowKinds)
}
