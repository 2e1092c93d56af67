// Package colour holds the mean colours that networks were trained with.
package colour

// Means and deviations of red, green and blue.
var (
	// ImageNetMean and ImageNetStd are torchvision's, of values in 0..1
	// (docs/sources.md §8.2).
	ImageNetMean = [3]float64{0.485, 0.456, 0.406}
	ImageNetStd  = [3]float64{0.229, 0.224, 0.225}
	// CaffeMean is what networks converted from Caffe subtract, of values in
	// 0..255 (docs/sources.md §8.1).
	CaffeMean = [3]float64{122.675, 116.669, 104.008}
)
