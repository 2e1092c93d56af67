package sam

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"

	"wsss/models/foundation"
)

// kind is the family of an export's signature.
type kind int

const (
	kindMeta      kind = iota // docs/sources.md §3.4, also MobileSAM
	kindHF                    // docs/sources.md §3.4b
	kindEfficient             // EfficientSAM's encoder and decoder
	kindSAM2                  // SAM 2 and 2.1, docs/sources.md §3.6
	kindSAM2HF                // the same by onnx-community, without its input for boxes
)

// signature is what the inputs of an encoder and a decoder tell.
type signature struct {
	kind     kind
	side     int    // of the square image
	low      int    // of the low-resolution logits
	image    string // input of the encoder
	rank     int    // of that input
	layout   layout
	embed    []string // outputs of the encoder that the decoder takes
	feed     []string // the decoder's names for them
	batch    bool     // several prompts per call
	grid     int      // side of the embedding; 0 where it is open
	points   int      // tokens per prompt that the export is bound to; 0 for any
	labels   dtypes.DType
	origSize dtypes.DType // of orig_im_size; Invalid where there is none
	masks    string       // output with low-resolution logits
	scores   string       // output with predicted IoUs
	object   string       // output with logits of an object being there; "" for none
}

// metaPrompts tells whether the decoder takes prompts as Meta's export does.
func (s signature) metaPrompts() bool { return s.kind == kindMeta || s.kind == kindSAM2 }

// objectScores is SAM 2's output with logits of an object being there.
const objectScores = "object_score_logits"

// second tells whether the model is SAM 2 or 2.1.
func (s signature) second() bool { return s.kind == kindSAM2 || s.kind == kindSAM2HF }

const (
	patch       = 16 // pixels per side of an embedding's cell, in all published models
	defaultSide = 1024
	maxSide     = 4096
	sam3Side    = 1008
	// Points per prompt that EfficientSAM's decoder takes; more are dropped
	// in silence inside it.
	efficientPoints = 6
)

// detect reads the signature from the names and shapes of the ports.
func detect(enc, dec foundation.Session) (signature, error) {
	var s signature
	in, out := dec.Inputs(), dec.Outputs()
	switch {
	case foundation.Has(in, "point_coords", "point_labels", "mask_input", "has_mask_input", "high_res_feats_0", "high_res_feats_1"):
		s = signature{kind: kindSAM2, feed: []string{"image_embed", "high_res_feats_0", "high_res_feats_1"}, masks: "masks", scores: "iou_predictions"}
		if foundation.Has(out, "low_res_masks") { // beside those of the square's size
			s.masks = "low_res_masks"
		}
		s.portsOf(in, "point_coords", "point_labels")
		if p, _ := foundation.Find(in, "mask_input"); len(p.Dims) == 4 {
			s.low = p.Dims[3]
		}
	case foundation.Has(in, "point_coords", "point_labels", "mask_input", "has_mask_input"):
		s = signature{kind: kindMeta, feed: []string{"image_embeddings"}, masks: "low_res_masks", scores: "iou_predictions"}
		s.portsOf(in, "point_coords", "point_labels")
		if p, _ := foundation.Find(in, "mask_input"); len(p.Dims) == 4 {
			s.low = p.Dims[3]
		}
	case foundation.Has(in, inPoints, inLabels, "image_positional_embeddings"):
		s = signature{kind: kindHF, feed: []string{"image_embeddings", "image_positional_embeddings"}, masks: "pred_masks", scores: "iou_scores"}
		s.portsOf(in, inPoints, inLabels)
	case foundation.Has(in, inPoints, inLabels, "image_embeddings.0", "image_embeddings.1", "image_embeddings.2"):
		s = signature{kind: kindSAM2HF, feed: []string{"image_embeddings.0", "image_embeddings.1", "image_embeddings.2"}, masks: "pred_masks", scores: "iou_scores"}
		s.portsOf(in, inPoints, inLabels)
	case foundation.Has(in, "batched_point_coords", "batched_point_labels"):
		s = signature{kind: kindEfficient, feed: []string{"image_embeddings"}, masks: "output_masks", scores: "iou_predictions"}
		s.portsOf(in, "batched_point_coords", "batched_point_labels")
	default:
		return s, fmt.Errorf("not a known SAM decoder: its inputs are %s; known are point_coords, point_labels, mask_input, has_mask_input (Meta, MobileSAM; with high_res_feats_0 and high_res_feats_1 SAM 2), input_points, input_labels, image_positional_embeddings (Hugging Face), input_points, input_labels, image_embeddings.0 to .2 (SAM 2 of onnx-community) and batched_point_coords, batched_point_labels (EfficientSAM)", foundation.Names(in))
	}
	if !foundation.Has(in, s.feed...) || !foundation.Has(out, s.masks, s.scores) {
		return s, fmt.Errorf("SAM decoder with inputs %s and outputs %s: it lacks one of %v, %s, %s", foundation.Names(in), foundation.Names(out), s.feed, s.masks, s.scores)
	}
	if foundation.Has(out, objectScores) {
		s.object = objectScores
	}
	coarsest := s.feed[0]
	if s.kind == kindSAM2HF {
		coarsest = s.feed[2]
	}
	if p, _ := foundation.Find(in, coarsest); len(p.Dims) == 4 {
		s.grid = max(p.Dims[3], 0)
	}
	if err := s.encoder(enc); err != nil {
		return s, err
	}
	if err := s.sameSizes(enc, dec); err != nil {
		return s, err
	}
	if s.low <= 0 {
		s.low = s.side / 4
	}
	return s, nil
}

// portsOf reads what the point inputs tell: the type of labels, and whether
// several prompts fit in one call.
func (s *signature) portsOf(in []foundation.Port, coords, labels string) {
	if p, ok := foundation.Find(in, labels); ok {
		s.labels = p.DType
	}
	p, _ := foundation.Find(in, coords)
	n := len(p.Dims) // [prompts, points, 2], or with a batch of images before
	s.batch = n >= 3 && p.Dims[n-3] < 0
	if n >= 3 {
		s.points = max(p.Dims[n-2], 0)
	}
	if p, ok := foundation.Find(in, "orig_im_size"); ok {
		s.origSize = p.DType
	}
}

// encoder reads the encoder's side of the signature.
func (s *signature) encoder(enc foundation.Session) error {
	in, out := enc.Inputs(), enc.Outputs()
	if len(in) != 1 {
		return fmt.Errorf("not a SAM encoder: its inputs are %s; wanted one image", foundation.Names(in))
	}
	p := in[0]
	s.image, s.rank = p.Name, len(p.Dims)
	n := len(p.Dims)
	switch {
	case n != 3 && n != 4:
		return fmt.Errorf("not a SAM encoder: input %s has %d axes; wanted 3 or 4", p.Name, n)
	case p.Dims[n-1] == 3:
		s.layout = rawHWC
	case s.second():
		s.layout, s.side = stretched, p.Dims[n-1]
	case s.kind == kindEfficient:
		s.layout, s.side = unitSquared, p.Dims[n-1]
	default:
		s.layout, s.side = normalised, p.Dims[n-1]
	}
	if s.side <= 0 {
		s.side = defaultSide
		if s.grid > 0 {
			s.side = patch * s.grid
		}
	}
	if s.kind == kindSAM2HF && s.side == sam3Side {
		return fmt.Errorf("SAM encoder of %d×%d pixels: SAM 3's tracker, which prepares images otherwise and is not read: use SAM 2.1, or method sam3", s.side, s.side)
	}
	if s.side > maxSide {
		return fmt.Errorf("SAM encoder of %d×%d pixels: the largest side allowed is %d", s.side, s.side, maxSide)
	}
	for _, name := range s.feed {
		if _, ok := foundation.Find(out, name); ok {
			s.embed = append(s.embed, name)
		} else if len(s.feed) == 1 && len(out) == 1 {
			s.embed = append(s.embed, out[0].Name)
		} else {
			return fmt.Errorf("SAM encoder gives %s, but the decoder needs %s: they are of different models or exports", foundation.Names(out), name)
		}
	}
	return nil
}

// sameSizes refuses an encoder and a decoder of one signature but of different sizes.
func (s *signature) sameSizes(enc, dec foundation.Session) error {
	for i, name := range s.feed {
		given, _ := foundation.Find(enc.Outputs(), s.embed[i])
		taken, _ := foundation.Find(dec.Inputs(), name)
		if len(given.Dims) != len(taken.Dims) {
			continue // one of them does not tell
		}
		for k, d := range given.Dims {
			if d > 0 && taken.Dims[k] > 0 && d != taken.Dims[k] {
				return fmt.Errorf("SAM encoder gives %s of %v, but the decoder takes %v: they are made for images of different sizes, or are of different models", s.embed[i], given.Dims, taken.Dims)
			}
		}
	}
	return nil
}
