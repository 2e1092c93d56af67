package configs

// Train is stage two: a segmentation network from (pseudo-)labels. Defaults
// are DeepLab-v2 as in docs/sources.md §8.1.
//
// The tag hash marks what a training depends on, see hashed.
type Train struct {
	Skip       bool   `toml:"skip" json:",omitempty" hash:"-"` // train nothing: a run makes and scores pseudo-labels only
	Labels     string `toml:"labels" hash:"1,zero"`            // folder of label PNGs; "" = what gen wrote, "truth" = the true masks
	Bound      bool   `toml:"bound" hash:"2,zero"`             // also train the same network on true masks, the supervised bound
	Iterations int    `toml:"iterations" hash:"13"`            // optimiser updates
	Batch      int    `toml:"batch" hash:"14"`                 // images per forward pass
	Accumulate int    `toml:"accumulate" hash:"15"`            // forward passes per update

	TrainNetwork    `toml:"network"`
	TrainAugment    `toml:"augment"`
	TrainOptimizer  `toml:"optimizer"`
	TrainLoss       `toml:"loss"`
	TrainNoise      `toml:"noise"`
	SelfTraining    `toml:"self_training"`
	TrainCheckpoint `toml:"checkpoint"`
	TrainCompute    `toml:"compute"`

	Mask2Former Mask2Former `toml:"mask2former" json:",omitzero" hash:"80,omitempty"` // of the architecture of that name
}

// TrainNetwork is the network and where it starts.
type TrainNetwork struct {
	Arch         string  `toml:"arch" hash:"3"`          // a registered network: deeplab-v2, deeplab-v3plus, deeplab-v3plus-multigrid, …
	Backbone     string  `toml:"backbone" hash:"4"`      // a registered backbone: resnet18, resnet34, resnet50, resnet101, …
	Width        float64 `toml:"width" hash:"5"`         // channel multiplier of the backbone; 1 = the published size
	OutputStride int     `toml:"output_stride" hash:"6"` // 8 or 16; 32 where the network takes it
	StrideIn     string  `toml:"stride_in" hash:"7"`     // bottleneck convolution that strides: "1x1" (Caffe) or "3x3" (torchvision)
	MSC          bool    `toml:"msc" hash:"8"`           // multi-scale inputs ×1, ×0.5, ×0.75 and pixel-wise max; default true for deeplab-v2, else false
	// MSCGrid is how its smaller inputs are sampled where a side times the scale is
	// no whole number: by their "size", as PyTorch before 1.6, or by the "factor", as
	// since; "" = size.
	MSCGrid string `toml:"msc_grid" json:",omitempty" hash:"52,omitempty"`
	Init    string `toml:"init" hash:"9"`   // weights file; "" = random initialisation
	Input   string `toml:"input" hash:"10"` // see Inputs
	// Frozen keeps the backbone of a plain transformer (vit-linear, vit-mask) as init
	// has it: the head alone learns.
	Frozen     bool    `toml:"frozen" json:",omitempty" hash:"71,omitempty"`
	BatchNorm  string  `toml:"batch_norm" hash:"11"`  // "frozen" (running statistics, folded), "train", or "head": frozen in the backbone, learnt in the head
	BNMomentum float64 `toml:"bn_momentum" hash:"12"` // weight of a batch in the running statistics; 0 = 0.1, but 0.01 for deeplab-v3plus's backbone
}

// Inputs are the conventions of pixels, as train.network.input names them:
// "caffe" is BGR 0..255 minus the mean, "torch" RGB by ImageNet's mean and
// deviation, "tf" RGB in −1..1 (EfficientNet-Lite), "clip" RGB by CLIP's mean and
// deviation.
var Inputs = []string{"caffe", "torch", "tf", "clip"}

// TrainAugment is how training images are changed.
type TrainAugment struct {
	Crop       int       `toml:"crop" hash:"16"`        // square training crop, pixels
	CropAt     string    `toml:"crop_at" hash:"19"`     // "random", or "center": the short side scaled to crop, the middle cut out
	Scales     []float64 `toml:"scales" hash:"17"`      // random scale: one of these …
	ScaleRange []float64 `toml:"scale_range" hash:"18"` // … or uniform in [min, max] where two values are given
	// ScaleBy is what the scale multiplies: "image", its own size; "crop": the short
	// side becomes scale · crop; "crop-long": the long side does, as in large-scale
	// jitter, scale_range = [0.1, 2.0]; "" = image.
	ScaleBy string `toml:"scale_by" json:",omitempty" hash:"44,omitempty"`
	// Resize is how images are scaled: "bilinear", as OpenCV, or "antialias", as PIL,
	// where a smaller image is a mean of more pixels; "" = bilinear.
	Resize string `toml:"resize" json:",omitempty" hash:"50,omitempty"`
	// Pad is where images smaller than the crop lie: "corner", the upper left, beside
	// the mean colour and no label, or "around", in the middle of black that is
	// labelled background (DeepLabV3Plus-Pytorch); "" = corner.
	Pad  string  `toml:"pad" json:",omitempty" hash:"51,omitempty"`
	Flip bool    `toml:"flip" hash:"20"`                             // horizontal flip, probability 0.5
	Blur float64 `toml:"blur" json:",omitempty" hash:"45,omitempty"` // probability of a Gaussian blur, deviation up to a pixel of the crop
	// Jitter changes colours, as torchvision's ColorJitter: [brightness, contrast,
	// saturation, hue], factors from 1 − v to 1 + v, and the hue up to v of the circle.
	Jitter []float64 `toml:"jitter" json:",omitempty" hash:"65,omitempty"`
	// CopyPaste is the probability that objects of another training image are put
	// over a crop: masks whose sidecar scores them copy_paste_min or higher.
	CopyPaste    float64 `toml:"copy_paste" json:",omitempty" hash:"66,omitempty"`
	CopyPasteMin float64 `toml:"copy_paste_min" json:",omitempty" hash:"67,omitempty"`
}

// TrainOptimizer is how weights learn.
type TrainOptimizer struct {
	Optimizer   string  `toml:"name" hash:"21"`         // a registered one: "sgd", or "adamw" for short runs from a random start
	LR          float64 `toml:"lr" hash:"22"`           // backbone learning rate
	HeadMult    float64 `toml:"head_mult" hash:"23"`    // × lr for head weights
	BiasMult    float64 `toml:"bias_mult" hash:"24"`    // × lr for head biases, which get no weight decay
	Momentum    float64 `toml:"momentum" hash:"25"`     // of sgd
	WeightDecay float64 `toml:"weight_decay" hash:"26"` //
	PolyPower   float64 `toml:"poly_power" hash:"27"`   // lr · (1 − t/T)^power
	LRMin       float64 `toml:"lr_min" hash:"28"`       // floor of the schedule
	LREvery     int     `toml:"lr_every" hash:"29"`     // the schedule moves every n updates
	// Schedule is "poly", or "cosine": lr · (1 + cos πt/T)/2; "" = poly.
	Schedule string `toml:"schedule" json:",omitempty" hash:"60,omitempty"`
	// WarmUp is over how many updates the rates rise linearly from 0 to the schedule.
	WarmUp Every `toml:"warm_up" json:",omitempty" hash:"61,omitempty"`
	// LayerDecay is by what a layer's rate is multiplied for each layer that lies
	// between it and the head; 0 = 1.
	LayerDecay float64 `toml:"layer_decay" json:",omitempty" hash:"62,omitempty"`
	ClipNorm   float64 `toml:"clip_norm" json:",omitempty" hash:"63,omitempty"` // bound of the norm of all gradients; 0 = none
	DecayOf    string  `toml:"decay_of" json:",omitempty" hash:"64,omitempty"`  // what weight_decay shrinks: "all", or "kernels": no norm, bias, token or position; "" = all
	EMA        float64 `toml:"ema" hash:"30"`                                   // decay of a moving average of the weights, which then predicts; 0 = none
}

// TrainNoise is what makes training robust against wrong labels.
type TrainNoise struct {
	Confidence    string  `toml:"confidence" hash:"31"`                         // use of the masks' scores: none, mask (leave out pixels below confidence_min), weight (of a pixel in the loss)
	ConfidenceMin float64 `toml:"confidence_min" hash:"32"`                     //
	Bootstrap     float64 `toml:"bootstrap" hash:"33"`                          // share of the network's own opinion in a pixel's target; 0 = labels only
	LossClip      float64 `toml:"loss_clip" hash:"34"`                          // pixels of a higher loss have no gradient; 0 = none
	NoiseWarmup   float64 `toml:"warmup" json:",omitempty" hash:"46,omitempty"` // share of the updates on plain labels before bootstrap and loss_clip begin; 0 = they act from the first
	// Correct is the probability from which on the network's own class takes the place
	// of a pixel's label; 0 = never.
	Correct float64 `toml:"correct" json:",omitempty" hash:"73,omitempty"`
	// Early begins bootstrap, loss_clip and correct for the pixels of each class when the
	// network has learnt it, instead of by warmup: when the slope of its agreement with the
	// labels has fallen by this share of that after an epoch; 0 = off.
	Early      float64 `toml:"early" json:",omitempty" hash:"74,omitempty"`
	EarlyEvery Every   `toml:"early_every" json:",omitempty" hash:"75,omitempty"` // between two looks at the agreement; 0 = 1 epoch
}

// SelfTraining is further rounds on labels that the network helps to choose.
type SelfTraining struct {
	SelfRounds int     `toml:"rounds" hash:"35"`                            // further rounds of training
	SelfMin    float64 `toml:"min" hash:"36"`                               // the network counts as sure from this probability on; see SelfRules
	SelfRule   string  `toml:"rule" json:",omitempty" hash:"47,omitempty"`  // what a round learns where network and pseudo-label differ: see SelfRules; "" = the first
	SelfStart  string  `toml:"start" json:",omitempty" hash:"48,omitempty"` // weights that a round starts from: "init", as the first, or "last", the round before; "" = init
}

// TrainCheckpoint is when a training is saved, validated and stopped.
type TrainCheckpoint struct {
	CheckpointEvery Every   `toml:"every" hash:"40,zero"`                           // between checkpoints
	Keep            int     `toml:"keep" hash:"41,zero"`                            // checkpoints kept beside the last
	ValEvery        Every   `toml:"val_every" hash:"42,zero"`                       // between validations; 0 = only at the end
	ValImages       int     `toml:"val_images" hash:"43,zero"`                      // images of a validation; 0 = all
	Patience        int     `toml:"patience" json:",omitempty" hash:"70,omitempty"` // stop after so many validations without a better one; 0 = never
	TensorBoard     bool    `toml:"tensorboard" hash:"38,zero"`                     // also write the log as TensorBoard events
	Diverge         float64 `toml:"diverge" hash:"37,zero"`                         // stop when the smoothed loss exceeds so many times its lowest; 0 = never
}

// TrainCompute is how a step is computed: none of it changes what is learnt, but for rounding.
type TrainCompute struct {
	Precision string `toml:"precision" json:",omitempty" hash:"49,omitempty"` // of the network: float32, tf32 (NVIDIA's rounding of products) or bf16; weights, statistics and loss stay float32
	Recompute int    `toml:"recompute" json:",omitempty" hash:"-"`            // residual blocks that the backward pass computes again together instead of keeping their activations; 0 = none
	// CacheFeatures computes what a frozen backbone makes of each image once, in half
	// precision, below OUT/train/features, which may take so many GB.
	CacheFeatures bool    `toml:"cache_features" json:",omitempty" hash:"72,omitempty"`
	CacheGB       float64 `toml:"cache_gb" json:",omitempty" hash:"-"`
	// FitBatch computes the images of an update, batch · accumulate, as many at a time as
	// memory holds: MemoryGB of the process where the host's counts, 0 = what is free.
	FitBatch bool    `toml:"fit_batch" json:",omitempty" hash:"76,omitempty"`
	MemoryGB float64 `toml:"memory_gb" json:",omitempty" hash:"-"`
	Devices  int     `toml:"devices" json:",omitempty" hash:"-"` // devices that share each batch; 0 = 1
	Workers  int     `toml:"workers" hash:"39,zero"`             // decode and augmentation goroutines; 0 = one per CPU
}

// SelfRules are what a further round of self-training may learn where network
// and pseudo-label differ. The network's classes are limited to the image's
// tags and background, and it is sure where their probability is at least
// Train.SelfMin.
var SelfRules = []string{SelfReplace, SelfAgree, SelfCorrect}

const (
	SelfReplace = "replace" // the network's class everywhere, 255 where it is unsure
	SelfAgree   = "agree"   // the pseudo-label, but 255 where the network is sure of another class
	SelfCorrect = "correct" // the pseudo-label, but the network's class where it is sure of another
)

func defaultTrain() Train {
	return Train{
		Iterations: 20000, Batch: 5, Accumulate: 2,
		TrainNetwork:    TrainNetwork{Arch: "deeplab-v2", Backbone: "resnet101", Width: 1, OutputStride: 8, StrideIn: "1x1", MSC: true, Input: "caffe", BatchNorm: "frozen"},
		TrainAugment:    TrainAugment{Crop: 321, Scales: []float64{0.5, 0.75, 1, 1.25, 1.5}, CropAt: "random", Flip: true},
		TrainOptimizer:  TrainOptimizer{Optimizer: "sgd", LR: 2.5e-4, HeadMult: 10, BiasMult: 20, Momentum: 0.9, WeightDecay: 5e-4, PolyPower: 0.9, LREvery: 10},
		TrainNoise:      TrainNoise{Confidence: "none"},
		TrainCompute:    TrainCompute{CacheGB: 20},
		TrainCheckpoint: TrainCheckpoint{CheckpointEvery: 500, Keep: 2},
	}
}
