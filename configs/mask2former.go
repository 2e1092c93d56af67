package configs

import (
	"fmt"
	"math"
	"reflect"
)

// Mask2Former is the architecture of that name: the sizes of its decoders, and
// the weights of its loss. What is 0 is as published.
type Mask2Former struct {
	Queries            int     `toml:"queries" json:",omitempty"`             // masks that the network proposes; 100
	Layers             int     `toml:"layers" json:",omitempty"`              // of the queries' decoder; 9
	EncoderLayers      int     `toml:"encoder_layers" json:",omitempty"`      // of the pixel decoder; 6
	Channels           int     `toml:"channels" json:",omitempty"`            // of both decoders, a multiple of 32; 256
	Heads              int     `toml:"heads" json:",omitempty"`               // of attention; 8
	FeedForward        int     `toml:"feedforward" json:",omitempty"`         // inner size of the queries' layers; 2048
	EncoderFeedForward int     `toml:"encoder_feedforward" json:",omitempty"` // … of the pixel decoder's; 1024
	DropPath           float64 `toml:"drop_path" json:",omitempty"`           // chance that training leaves out the last block of a Swin, less for earlier ones; 0.3, negative = 0
	Points             int     `toml:"points" json:",omitempty"`              // where masks are compared; 12544
	Oversample         float64 `toml:"oversample" json:",omitempty"`          // so many times the points are drawn to choose uncertain ones from; 3
	Importance         float64 `toml:"importance" json:",omitempty"`          // share of the points that are the most uncertain ones; 0.75
	Objects            int     `toml:"objects" json:",omitempty"`             // classes of an image that a graph has places for; images with more take one of twice as many; 8
	NoObject           float64 `toml:"no_object" json:",omitempty"`           // weight of "no object" in the cross-entropy; 0.1
	ClassWeight        float64 `toml:"class_weight" json:",omitempty"`        // of the cross-entropy of classes in loss and matching; 2
	MaskWeight         float64 `toml:"mask_weight" json:",omitempty"`         // of the binary cross-entropy of masks; 5
	DiceWeight         float64 `toml:"dice_weight" json:",omitempty"`         // of their dice loss; 5
}

// Or is m with what is 0 taken from another, and what is negative 0.
func (m Mask2Former) Or(other Mask2Former) Mask2Former {
	v, o := reflect.ValueOf(&m).Elem(), reflect.ValueOf(other)
	for i := range v.NumField() {
		if f := v.Field(i); f.IsZero() {
			f.Set(o.Field(i))
		} else if f.Kind() == reflect.Float64 && f.Float() < 0 {
			f.SetFloat(0)
		}
	}
	return m
}

func (m Mask2Former) validate(v *validator, key string) {
	for _, k := range []struct {
		name        string
		value, most int
	}{
		{"queries", m.Queries, 1000}, {"layers", m.Layers, 32}, {"encoder_layers", m.EncoderLayers, 32}, {"channels", m.Channels, 4096}, {"heads", m.Heads, 64},
		{"feedforward", m.FeedForward, 1 << 15}, {"encoder_feedforward", m.EncoderFeedForward, 1 << 15}, {"points", m.Points, 1 << 18}, {"objects", m.Objects, 255},
	} {
		v.that(k.value >= 0 && k.value <= k.most, key+"."+k.name, k.value, fmt.Sprintf("an integer from 1 to %d, or 0 for the published one", k.most))
	}
	v.that(m.DropPath < 1 && !math.IsInf(m.DropPath, 0), key+".drop_path", m.DropPath, "a number below 1; 0 for 0.3, negative for none")
	v.that(m.Oversample == 0 || m.Oversample >= 1 && m.Oversample <= 16, key+".oversample", m.Oversample, "a number in [1, 16], or 0 for 3")
	v.that(m.Importance <= 1 && !math.IsInf(m.Importance, 0), key+".importance", m.Importance, "a number in [0, 1]; 0 for 0.75, negative for none")
	v.that(m.NoObject >= 0 && m.NoObject <= 1, key+".no_object", m.NoObject, "a number in (0, 1], or 0 for 0.1")
	for i, value := range []float64{m.ClassWeight, m.MaskWeight, m.DiceWeight} {
		name := [...]string{"class_weight", "mask_weight", "dice_weight"}[i]
		v.that(!math.IsInf(value, 0), key+"."+name, value, "a number > 0; 0 for the published one, negative for none")
	}
}
