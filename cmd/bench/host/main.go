// Package host measures what the CPU does for a photo in each stage of generating
// labels, on one core and without any network: what is left to the host where a
// GPU computes the networks. It prints CPU milliseconds, and from them the photos
// per second at which 8 and 16 cores are busy, however fast the GPU is.
//
//	go run ./cmd/bench host [-w 500] [-h 375] [-runs 20] [-crf]
package host

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"runtime"
	"time"

	"wsss/cmd/bench/internal/spent"
	"wsss/configs"
	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/photo"
	"wsss/gen"
	"wsss/models/crf"
	"wsss/models/foundation/sam"
)

// bench is what the pieces of work need.
type bench struct {
	w, h, runs int
	file       []byte
	img        *image.NRGBA
	rgb        *imageproc.RGB
	frame      sam.Frame
	low        []float32 // a mask's logits, 256×256
	bits       []uint8   // the mask of the image
	packed     []byte    // the same as a device gives it
	stride     int
	masks      []gen.Mask
	fuser      gen.Fuser
}

const low, side = 256, 1024

// Main is the command.
func Main() {
	b := bench{}
	flag.IntVar(&b.w, "w", 500, "width of the photo")
	flag.IntVar(&b.h, "h", 375, "height of the photo")
	flag.IntVar(&b.runs, "runs", 20, "runs of each piece of work, after one that warms up")
	withCRF := flag.Bool("crf", false, "also a dense CRF of 21 classes, seconds each")
	flag.Parse()
	runtime.GOMAXPROCS(1)
	if err := b.main(*withCRF); err != nil {
		fmt.Fprintln(os.Stderr, "bench host:", err)
		os.Exit(1)
	}
}

func (b *bench) main(withCRF bool) error {
	if err := b.prepare(); err != nil {
		return err
	}
	fmt.Printf("Photo of %d×%d, one core, %s, %s\n\n| work | CPU ms |\n|---|---|\n", b.w, b.h, runtime.Version(), time.Now().UTC().Format(time.DateOnly))
	ms := map[string]float64{}
	measure := func(name string, runs int, do func()) {
		do()
		start := spent.Self()
		for range runs {
			do()
		}
		ms[name] = float64((spent.Self() - start).Microseconds()) / 1000 / float64(runs)
		fmt.Printf("| %s | %.2f |\n", name, ms[name])
	}
	for _, p := range []struct {
		name string
		do   func()
	}{
		{decode, func() { _, _ = photo.Decode(bytes.NewReader(b.file), int64(len(b.file))) }},
		{samPixels, b.samPixels},
		{maskOnHost, b.maskOnHost},
		{maskOfDevice, b.maskOfDevice},
		{clipPixels, func() { b.pixels(b.rgb.ResizeShort(224, imageproc.Bicubic).CentreCrop(224), imageproc.CLIPNorm) }},
		{ramPixels, func() { b.pixels(b.rgb.Resize(384, 384, imageproc.Bilinear), imageproc.ImageNetNorm) }},
		{dinoPixels, func() { b.pixels(b.rgb.ResizeShort(800, imageproc.Bilinear), imageproc.ImageNetNorm) }},
		{camPixels, b.camPixels},
		{fusing, b.fuse},
	} {
		measure(p.name, b.runs, p.do)
	}
	if withCRF {
		measure(refining, 1, b.refine)
	}
	stages(ms)
	return nil
}

// The pieces of work.
const (
	decode       = "decode a JPEG"
	samPixels    = "SAM: pixels of 1024²"
	maskOnHost   = "SAM: a mask, made on the host"
	maskOfDevice = "SAM: a mask, made on the device"
	clipPixels   = "CLIP: pixels of 224²"
	ramPixels    = "RAM: pixels of 384²"
	dinoPixels   = "Grounding-DINO: pixels, short side 800"
	camPixels    = "CAM: pixels at four scales, mirrored too"
	fusing       = "fuse three masks, encode the PNG"
	refining     = "dense CRF of 21 classes"
)

// stages prints what the pieces of each stage take of a photo, and how many photos
// a second keep 8 and 16 cores busy.
func stages(ms map[string]float64) {
	fmt.Printf("\n| stage | CPU ms a photo | photos/s of 8 cores | of 16 |\n|---|---|---|---|\n")
	row := func(name string, ms float64) {
		rate := func(cores float64) string {
			v := cores * 1000 / ms
			if v >= 10 {
				return fmt.Sprintf("%.0f", v)
			}
			return fmt.Sprintf("%.1f", v)
		}
		fmt.Printf("| %s | %.1f | %s | %s |\n", name, ms, rate(8), rate(16))
	}
	common := ms[decode] + ms[fusing]
	onSAM := common + ms[samPixels]
	row("sam, three boxes, masks on the host", onSAM+3*ms[maskOnHost])
	row("sam, three boxes, masks on the device", onSAM+3*ms[maskOfDevice])
	row("sam-auto, 1,000 masks, on the host", onSAM+1000*ms[maskOnHost])
	row("sam-auto, 1,000 masks, on the device", onSAM+1000*ms[maskOfDevice])
	row("RAM, Grounding-DINO, SAM, three boxes, masks on the device", onSAM+ms[dinoPixels]+ms[ramPixels]+3*ms[maskOfDevice])
	row("tags by CLIP", ms[decode]+ms[clipPixels])
	row("cam, four scales and flip", common+ms[camPixels])
	if crf, ok := ms[refining]; ok {
		row("CRF of a label", common+crf)
	}
}

// prepare draws a photo with texture, and a mask of it.
func (b *bench) prepare() error {
	b.img = image.NewNRGBA(image.Rect(0, 0, b.w, b.h))
	for y := range b.h {
		for x := range b.w {
			b.img.SetNRGBA(x, y, color.NRGBA{uint8(x*7 ^ y*3), uint8(x/2 + y*5%97), uint8(x*y/31 + 11*(x%5)), 255})
		}
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, b.img, &jpeg.Options{Quality: 90}); err != nil {
		return err
	}
	b.file, b.rgb, b.frame = file.Bytes(), imageproc.FromImage(b.img), sam.NewFrame(b.w, b.h, side)
	b.low = make([]float32, low*low)
	for i := range b.low {
		x, y := float32(i%low)-100, float32(i/low)-80
		b.low[i] = 10 - (x*x+2*y*y)/250
	}
	b.bits = sam.Threshold(b.frame.Upscale(b.low, low))
	b.stride = (b.h + 63) / 64 * 8
	b.packed = make([]byte, b.w*b.stride)
	for i, v := range b.bits {
		x, y := i%b.w, i/b.w
		b.packed[x*b.stride+y/8] |= v << (y % 8)
	}
	classes := data.Classes{Names: []string{"background", "one", "two", "three"}}
	for c := 1; c <= 3; c++ {
		b.masks = append(b.masks, gen.Mask{Class: c, Bits: data.EncodeRLE(b.bits, b.w, b.h), Score: float32(c) / 4})
	}
	var err error
	b.fuser, err = gen.NewFuser(configs.Fuse{Rule: "score"}, classes)
	return err
}

func (b *bench) samPixels() {
	dst := make([]float32, 3*side*side)
	b.rgb.Resize(b.frame.InW, b.frame.InH, imageproc.Bilinear).Planar(imageproc.SAMNorm, dst, side, side)
}

func (b *bench) pixels(img *imageproc.RGB, norm imageproc.Norm) {
	img.Planar(norm, make([]float32, 3*img.W*img.H), img.W, img.H)
}

// maskOnHost is what go and onnx do for a mask: enlarge, measure, threshold, encode.
func (b *bench) maskOnHost() {
	logits := b.frame.Upscale(b.low, low)
	_ = sam.Stability(logits, 1)
	_ = data.EncodeRLE(sam.Threshold(logits), b.w, b.h).Bounds()
}

// maskOfDevice is what is left where the device does that.
func (b *bench) maskOfDevice() { _ = data.EncodePackedRLE(b.packed, b.stride, b.w, b.h).Bounds() }

func (b *bench) camPixels() {
	for _, scale := range []float64{0.5, 1, 1.5, 2} {
		w, h := int(float64(b.w)*scale), int(float64(b.h)*scale)
		img := b.rgb.Resize(w, h, imageproc.Bicubic)
		dst := make([]float32, 6*w*h)
		img.Interleaved(imageproc.ImageNetNorm, dst, w, image.Point{})
		img.Mirror()
		img.Interleaved(imageproc.ImageNetNorm, dst[3*w*h:], w, image.Point{})
	}
}

func (b *bench) fuse() {
	label, err := b.fuser.Fuse(image.Pt(b.w, b.h), b.masks)
	if err == nil {
		var out bytes.Buffer
		err = data.EncodeLabelMap(&out, label)
	}
	if err != nil {
		panic(err) // of made-up masks
	}
}

func (b *bench) refine() {
	const classes = 21
	label := &data.LabelMap{W: b.w, H: b.h, Pix: b.bits}
	unary, err := crf.UnaryFromLabels(label, classes, 0.8)
	if err == nil {
		_, err = crf.Infer(crf.Image{W: b.w, H: b.h, RGB: b.rgb.Pix}, unary, classes, crf.DeepLab())
	}
	if err != nil {
		panic(err)
	}
}
