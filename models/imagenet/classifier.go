package imagenet

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/gomlx/compute"

	"wsss/data/imageproc"
	"wsss/data/prob"
	"wsss/data/vector"
)

// Options say how a classifier sees an image.
type Options struct {
	Scales  []float64      // sizes at which the image is seen
	Flip    bool           // and mirrored
	Bucket  int            // sides of scaled images are rounded to multiples of so many pixels; 0 = by what a new size costs the backend
	MaxSide int            // scaled images are no longer than this, so that memory is bounded
	Shapes  int            // compiled sizes kept
	Norm    imageproc.Norm // of the pixels; the zero value is ImageNet's
	Stride  int            // pixels of the image per pixel of a map: 8, 16 or 32, where the file does not fix it; 0 = 32
}

// Classifier is a network whose averaged features go through a linear layer. It
// is safe for concurrent use.
type Classifier struct {
	opts              Options
	classes, channels int
	weight, bias      []float32 // [classes][channels]; [classes]
	lacks             error     // why there is no linear layer; nil where there is one
	engine            engine
}

// Open reads a classifier: an ONNX file that ends with global pooling and a
// linear layer, or the weights (.pth, .safetensors) of an EfficientNet-Lite or of
// torchvision's ResNets.
func Open(b compute.Backend, path string, o Options) (*Classifier, error) {
	c, err := openAny(b, path, o)
	if err == nil {
		err = c.lacks
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(c.weight) != c.classes*c.channels || len(c.bias) != c.classes {
		err = fmt.Errorf("a linear layer of %d weights and %d biases for %d classes", len(c.weight), len(c.bias), c.classes)
	}
	if err == nil && c.classes != Classes {
		err = fmt.Errorf("it knows %d classes, ImageNet has %d", c.classes, Classes)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func openAny(b compute.Backend, path string, o Options) (*Classifier, error) {
	open := openWeights
	if filepath.Ext(path) == ".onnx" {
		open = openONNX
	}
	o = o.defaults(b)
	c, err := open(b, path, o)
	if err == nil {
		c.opts = o
	}
	return c, err
}

// Map is where something is at one scale: [H][W], 0 where it is not.
type Map struct {
	W, H   int
	Values []float32
}

// Maps returns, for each group of classes and each scale, the class activation
// map of the group: the features times the weights of its classes, each by its
// share of the group by its logit at that scale, so that a dog of a hundred
// breeds is seen by the weights of its own, then ReLU, summed over the mirrored
// views. temperature divides the logits; a higher one spreads the shares.
//
// This is the gradient of the group's log-sum-exp with respect to the features,
// and for a group of one its plain map (Zhou et al., CVPR 2016). An empty group
// has empty maps.
func (c *Classifier) Maps(ctx context.Context, img *imageproc.RGB, groups [][]int, temperature float64) ([][]*Map, error) {
	out := make([][]*Map, len(groups))
	err := c.each(ctx, img, func(views []features) error {
		mean := make([]float32, c.channels)
		for _, v := range views {
			for i, x := range v.values {
				mean[i%c.channels] += x / float32(len(v.values)/c.channels*len(views))
			}
		}
		for g, classes := range groups {
			m := &Map{W: views[0].w, H: views[0].h, Values: make([]float32, views[0].w*views[0].h)}
			if len(classes) > 0 {
				weight := c.direction(classes, mean, temperature)
				for i, v := range views {
					m.add(v, weight, i == 1)
				}
			}
			out[g] = append(out[g], m)
		}
		return nil
	})
	return out, err
}

// Logits are those of all classes for an image, averaged over scales and views.
func (c *Classifier) Logits(ctx context.Context, img *imageproc.RGB) ([]float32, error) {
	logits, n := make([]float32, c.classes), 0
	err := c.each(ctx, img, func(views []features) error {
		for _, v := range views {
			n++
			mean := make([]float32, c.channels)
			for i, x := range v.values {
				mean[i%c.channels] += x / float32(len(v.values)/c.channels)
			}
			for k := range logits {
				logits[k] += c.logit(k, mean)
			}
		}
		return nil
	})
	if err == nil && n == 0 {
		err = errors.New("no scale to see the image at")
	}
	for k := range logits {
		logits[k] /= float32(n)
	}
	return logits, err
}

func (c *Classifier) logit(class int, features []float32) float32 {
	return c.bias[class] + vector.Dot(c.weight[class*c.channels:(class+1)*c.channels], features)
}

// direction is the mean of the classes' weights, by the softmax of their logits.
func (c *Classifier) direction(classes []int, mean []float32, temperature float64) []float32 {
	weights := make([]float64, len(classes))
	for i, k := range classes {
		weights[i] = float64(c.logit(k, mean)) / temperature
	}
	prob.Softmax(weights, weights)
	out := make([]float32, c.channels)
	for i, k := range classes {
		share := float32(weights[i])
		for j, w := range c.weight[k*c.channels : (k+1)*c.channels] {
			out[j] += share * w
		}
	}
	return out
}

// add adds ReLU of the features times the weights; those of the mirrored image
// are turned back.
func (m *Map) add(v features, weight []float32, mirrored bool) {
	for i := range m.Values {
		x := vector.Dot(weight, v.values[i*len(weight):(i+1)*len(weight)])
		to := i
		if mirrored {
			to = i/m.W*m.W + m.W - 1 - i%m.W
		}
		m.Values[to] += max(x, 0)
	}
}
