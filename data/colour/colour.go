// Package colour holds the mean colours that networks were trained with.
package colour

// Means and deviations of red, green and blue.
var (
	// ImageNetMean and ImageNetStd are torchvision's, of values in 0..1
	// (docs/sources.md §8.2).
	ImageNetMean = [3]float64{0.485, 0.456, 0.406}
	ImageNetStd  = [3]float64{0.229, 0.224, 0.225}
	// TFMean and TFStd are those of EfficientNet-Lite, of values in 0..1.
	TFMean = [3]float64{127. / 255, 127. / 255, 127. / 255}
	TFStd  = [3]float64{128. / 255, 128. / 255, 128. / 255}
	// CLIPMean and CLIPStd are CLIP's and BLIP-2's, of values in 0..1
	// (docs/sources.md §7, §5.2).
	CLIPMean = [3]float64{0.48145466, 0.4578275, 0.40821073}
	CLIPStd  = [3]float64{0.26862954, 0.26130258, 0.27577711}
	// CaffeMean is what networks converted from Caffe subtract, of values in
	// 0..255 (docs/sources.md §8.1).
	CaffeMean = [3]float64{122.675, 116.669, 104.008}
)
