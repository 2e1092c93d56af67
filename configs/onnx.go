package configs

// ONNX is a segmenter of the user's own, scored like a trained network. Empty
// keys take the defaults in brackets.
type ONNX struct {
	Name   string `toml:"name"`   // in the table
	Path   string `toml:"path"`   // of the .onnx file
	Input  string `toml:"input"`  // name [the only one]
	Output string `toml:"output"` // name [the first]

	Layout  string    `toml:"layout"`  // of the input: nchw or nhwc [nchw]
	Colours string    `toml:"colours"` // rgb or bgr [rgb]
	Divide  float64   `toml:"divide"`  // input = (byte / divide − mean) / std [255]
	Mean    []float64 `toml:"mean"`    // red, green, blue, whatever the order of the input [0.485, 0.456, 0.406]
	Std     []float64 `toml:"std"`     // likewise [0.229, 0.224, 0.225]

	Width    int `toml:"width"`    // images are stretched to width × height [what the file declares, else their own size]
	Height   int `toml:"height"`   //
	Multiple int `toml:"multiple"` // with free sizes: sides are padded with the mean colour up to a multiple [32]

	OutputLayout string `toml:"output_layout"` // logits nchw or nhwc, labels: one class number per pixel, or queries: class logits and mask logits, as of Mask2Former [nchw]
	Masks        string `toml:"masks"`         // with queries: name of the mask logits, output then being that of the class logits [the first of 3 and of 4 axes]
	Classes      []int  `toml:"classes"`       // the dataset's class of each class of the model, 255 = void [the same numbers]
}

// Queries is the output layout of networks that propose masks.
const Queries = "queries"

func (o ONNX) validate(v *validator, key string) {
	v.that(o.Name != "", key+".name", o.Name, "a name for the table")
	v.that(o.Path != "", key+".path", o.Path, "an .onnx file")
	v.oneOf(key+".layout", o.Layout, "", "nchw", "nhwc")
	v.oneOf(key+".colours", o.Colours, "", "rgb", "bgr")
	v.oneOf(key+".output_layout", o.OutputLayout, "", "nchw", "nhwc", "labels", Queries)
	v.that(o.Masks == "" || o.OutputLayout == Queries && o.Output != "", key+".masks", o.Masks, "a name beside output, with output_layout = \"queries\"")
	v.that(o.OutputLayout != Queries || o.Output == "" || o.Masks != "", key+".masks", o.Masks, "the name of the mask logits where output names the class logits")
	v.that(o.Divide >= 0, key+".divide", o.Divide, "a positive number")
	v.that(len(o.Mean) == 0 || len(o.Mean) == 3, key+".mean", o.Mean, "three numbers: red, green, blue")
	v.that(len(o.Std) == 0 || len(o.Std) == 3 && o.Std[0] > 0 && o.Std[1] > 0 && o.Std[2] > 0, key+".std", o.Std, "three positive numbers: red, green, blue")
	v.atLeast(key+".width", o.Width, 0)
	v.atLeast(key+".height", o.Height, 0)
	v.that(o.Width > 0 == (o.Height > 0), key+".height", o.Height, "set together with width")
	v.atLeast(key+".multiple", o.Multiple, 0)
	for _, c := range o.Classes {
		v.that(c >= 0 && c <= 255, key+".classes", o.Classes, "class numbers 0..254, 255 for void")
	}
}

// DecodeONNX reads the keys of a segmenter from a table of options, by the name
// of the table in errors.
func DecodeONNX(section string, options map[string]any) (ONNX, error) {
	o := ONNX{Name: "row"} // the row's own
	if err := Decode(section, options, &o); err != nil {
		return o, err
	}
	v := &validator{}
	o.validate(v, section)
	return o, v.err
}
