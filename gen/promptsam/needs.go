package promptsam

import "wsss/gen"

// needs are the model, or the files, that masks come from.
func (o samOptions) needs() gen.Needs {
	if o.Encoder != "" && o.Decoder != "" {
		return gen.Needs{Files: []string{o.Encoder, o.Decoder}}
	}
	return gen.Needs{Models: []string{o.SAM}, Files: []string{o.Encoder, o.Decoder}}
}

func (o groundedOptions) needs() gen.Needs {
	n := o.samOptions.needs()
	if o.Detector != "" && o.Vocabulary != "" {
		n.Add(gen.Needs{Files: []string{o.Detector, o.Vocabulary}})
	} else {
		n.Add(gen.Needs{Models: []string{o.GDINO}, Files: []string{o.Detector, o.Vocabulary}})
	}
	n.Add(o.TagOptions.Needs())
	return n
}
