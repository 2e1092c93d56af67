package official

import "github.com/gomlx/compute-onnx/support/protos"

// SAM2Decoder writes the prompt encoder and the mask decoder of a checkpoint of SAM
// 2 or 2.1 (docs/sources.md §3.6) beside it, with the inputs of samexporter's, all
// four masks, and the score of an object being there at all:
//
//	image_embed          float32 [1, 256, grid, grid]
//	high_res_feats_0     float32 [1, 32, 4·grid, 4·grid]
//	high_res_feats_1     float32 [1, 64, 2·grid, 2·grid]
//	point_coords         float32 [prompts, points, 2], in pixels of the square
//	point_labels         float32 [prompts, points]: 1, 0, 2 and 3 for a box's corners, -1 for none
//	mask_input           float32 [prompts or 1, 1, 4·grid, 4·grid]: logits of an earlier pass
//	has_mask_input       float32 [1]
//	masks                float32 [prompts, 4, 4·grid, 4·grid]: logits; the first is that of single-mask mode
//	iou_predictions      float32 [prompts, 4]
//	object_score_logits  float32 [prompts, 1]
//
// The padding point that follows every prompt is added inside.
func SAM2Decoder(path, out string) error {
	return build(out, []string{path}, []string{sam2Meta + " " + sam2Hugging}, func(n *net) {
		n.sam2Names()
		side := n.hieraOf(path).side
		width := n.WeightShape(decoderFor+".iou_token.weight", 2)[1]
		masks := n.WeightShape(decoderFor+".mask_tokens.weight", 2)[0]
		fine := [2]int{n.WeightShape(decoderFor+".conv_s0.weight", 4)[0], n.WeightShape(decoderFor+".conv_s1.weight", 4)[0]}
		if n.err != nil {
			return
		}
		grid := side / sam2Cell
		low := 4 * grid
		image := n.Input("image_embed", protos.TensorProto_FLOAT, 1, width, grid, grid)
		s0 := n.Input("high_res_feats_0", protos.TensorProto_FLOAT, 1, fine[0], low, low)
		s1 := n.Input("high_res_feats_1", protos.TensorProto_FLOAT, 1, fine[1], 2*grid, 2*grid)
		coords := n.Input("point_coords", protos.TensorProto_FLOAT, "prompts", "points", 2)
		labels := n.Input("point_labels", protos.TensorProto_FLOAT, "prompts", "points")
		mask := n.Input("mask_input", protos.TensorProto_FLOAT, "masks", 1, low, low)
		has := n.Input("has_mask_input", protos.TensorProto_FLOAT, 1)

		coords = n.Concat(1, coords, n.Mul(n.SliceAxis(coords, 1, 0, 1), n.Float(0)))
		labels = n.Concat(1, labels, n.Op("Sub", list(n.Mul(n.SliceAxis(labels, 1, 0, 1), n.Float(0)), n.Float(1))))
		points := n.samPoints(coords, labels, float32(side))
		src := n.Add(image, n.samMask(mask, has))
		src = n.Transpose(n.Reshape(src, 0, width, grid*grid), 0, 2, 1)
		a := n.samMasks(samInputs{src: src, places: n.samPlaces(grid), points: points, fine: [2]value{s0, s1}}, width, grid, masks)
		n.Named("masks", "Identity", list(a.masks))
		n.Named("iou_predictions", "Sigmoid", list(a.iou))
		n.Named("object_score_logits", "Identity", list(a.object))
		n.Output("masks", protos.TensorProto_FLOAT, "prompts", masks, low, low)
		n.Output("iou_predictions", protos.TensorProto_FLOAT, "prompts", masks)
		n.Output("object_score_logits", protos.TensorProto_FLOAT, "prompts", 1)
	})
}
