package promptsam

import (
	"wsss/configs"
	"wsss/data"
	"wsss/gen"
)

// needs are the model, or the files, that masks come from.
func (o samOptions) needs() gen.Needs {
	if o.Encoder != "" && o.Decoder != "" {
		return gen.Needs{Files: []string{o.Encoder, o.Decoder}}
	}
	return gen.Needs{Models: []string{o.SAM}, Files: []string{o.Encoder, o.Decoder}}
}

func needsSAM(options map[string]any) (gen.Needs, error) {
	o := defaultPoints()
	if err := configs.Decode("gen.options", options, &o); err != nil {
		return gen.Needs{}, err
	}
	return o.samOptions.needs(), o.check()
}

func needsAuto(options map[string]any) (gen.Needs, error) {
	o := defaultAuto()
	err := configs.Decode("gen.options", options, &o)
	n := o.samOptions.needs()
	n.Add(o.NamerOptions.Needs())
	if err == nil {
		err = o.NamerOptions.Check()
	}
	return n, err
}

func needsGrounded(options map[string]any) (gen.Needs, error) {
	o := defaultGrounded()
	if err := configs.Decode("gen.options", options, &o); err != nil {
		return gen.Needs{}, err
	}
	n := o.samOptions.needs()
	if o.Detector != "" && o.Vocabulary != "" {
		n.Add(gen.Needs{Files: []string{o.Detector, o.Vocabulary}})
	} else {
		n.Add(gen.Needs{Models: []string{o.GDINO}, Files: []string{o.Detector, o.Vocabulary}})
	}
	n.Add(o.TagOptions.Needs())
	if err := o.TagOptions.Check(); err != nil {
		return n, err
	}
	return n, o.insideOptions.check(o.Merge)
}

// groundedClasses checks the options that name classes.
func groundedClasses(options map[string]any, classes data.Classes) error {
	o := defaultGrounded()
	if err := configs.Decode("gen.options", options, &o); err != nil {
		return err
	}
	if _, err := phrases(classes, o.Phrases, o.Thresholds); err != nil {
		return err
	}
	return o.Negative.Check(classes)
}

func autoClasses(options map[string]any, classes data.Classes) error {
	o := defaultAuto()
	if err := configs.Decode("gen.options", options, &o); err != nil {
		return err
	}
	return o.Negative.Check(classes)
}
