// Package configs is the one TOML file that describes a run: its types,
// defaults, validation and hashes. Sections that belong to a plug-in (a
// dataset, a gen method) stay as a map and are decoded, strictly, by the
// plug-in with Decode.
package configs

// Config is a whole run: gen → train → eval → report.
type Config struct {
	Name    string `toml:"name"`    // title of the report
	Out     string `toml:"out"`     // run folder; every stage writes below it
	Seed    int64  `toml:"seed"`    // seed of everything random
	Backend string `toml:"backend"` // "" chooses; else "go", "onnx", "onnx:cuda", "xla:cuda", "xla:cpu"; no path of a library
	// Deterministic makes XLA on a GPU end with the same bytes from the same
	// seed, more slowly; on a CPU every engine does.
	Deterministic bool `toml:"deterministic" json:",omitempty"`

	Needs []Need `toml:"needs" json:",omitempty"` // configs whose results this one reads; see Chain

	Data    Data      `toml:"data"`
	Gen     Gen       `toml:"gen"`
	Train   Train     `toml:"train"`
	Compare []Compare `toml:"compare"` // further pseudo-labels, scored beside those of [gen]
	Eval    Eval      `toml:"eval"`

	FineTuneCLIP FineTuneCLIP `toml:"finetune_clip"` // another training: CLIP as a classifier of image labels
	Classifier   Classifier   `toml:"classifier"`    // and another: the ResNet behind class activation maps
}

// Data chooses the dataset.
type Data struct {
	Kind        string         `toml:"kind"` // registered dataset kind
	Root        string         `toml:"root"`
	TrainSplit  string         `toml:"train_split"`          // images that get pseudo-labels and train the network
	ValSplit    string         `toml:"val_split"`            // images that score the network
	Corrections string         `toml:"corrections" json:"-"` // folder of what was corrected in review; "" = corrections below root, or below out where there is none; "none" = no corrections count
	Options     map[string]any `toml:"options"`              // the dataset's own keys
}

// Gen is stage one: weak labels to pseudo-label masks.
type Gen struct {
	Method  string         `toml:"method"`  // registered method
	Weak    string         `toml:"weak"`    // none, tags, points, scribbles, boxes
	Workers int            `toml:"workers"` // images in flight; 0 = one per CPU
	Fuse    Fuse           `toml:"fuse"`
	Options map[string]any `toml:"options"` // the method's own keys
	// Checks also labels a changed image ("flip": mirrored, "scale": at 3/4 of
	// the size) and notes in the sidecar how far both labels agree, a sign of
	// quality without ground truth. Each takes as long as the label itself.
	Checks []string `toml:"checks" json:",omitempty"`
}

// Fuse turns a set of scored masks into one label map.
type Fuse struct {
	Rule       string `toml:"rule"`        // overlap rule: score, smaller-first, class-index, uncertain
	IgnoreBand int    `toml:"ignore_band"` // pixels either side of a class border set to 255
	MinArea    int    `toml:"min_area"`    // masks below this many pixels are dropped
	// NMS drops a mask, whatever its class, whose IoU with one above it
	// exceeds this; 0 = keep all.
	NMS float64 `toml:"nms"`
	// Rule uncertain leaves a pixel undecided (255) where masks of two classes
	// differ by less than Margin in certainty, or none reaches MinScore.
	Margin   float64 `toml:"margin"`
	MinScore float64 `toml:"min_score"`
	// Priority names classes whose masks lie on top where they overlap others,
	// the first on top of all; the rule decides among the classes left out.
	Priority []string `toml:"priority" json:",omitempty"`
}

// Train is stage two: a segmentation network from (pseudo-)labels. Defaults
// are DeepLab-v2 as in docs/sources.md §8.1.
type Train struct {
	// Skip trains nothing: a run makes and scores pseudo-labels only.
	Skip bool `toml:"skip" json:",omitempty"`

	Labels          string    `toml:"labels"`           // folder of label PNGs; "" = what gen wrote, "truth" = the true masks
	Bound           bool      `toml:"bound"`            // also train the same network on true masks, the supervised bound
	Arch            string    `toml:"arch"`             // a registered network: deeplab-v2, deeplab-v3plus, deeplab-v3plus-multigrid, …
	Backbone        string    `toml:"backbone"`         // a registered backbone: resnet18, resnet34, resnet50, resnet101, …
	Width           float64   `toml:"width"`            // channel multiplier of the backbone; 1 = the published size
	OutputStride    int       `toml:"output_stride"`    // 8 or 16; 32 where the network takes it
	StrideIn        string    `toml:"stride_in"`        // bottleneck convolution that strides: "1x1" (Caffe) or "3x3" (torchvision)
	MSC             bool      `toml:"msc"`              // multi-scale inputs ×1, ×0.5, ×0.75 and pixel-wise max (v2)
	Init            string    `toml:"init"`             // weights file; "" = random initialisation
	Input           string    `toml:"input"`            // "caffe" (BGR 0-255 minus mean) or "torch" (RGB, ImageNet mean/std)
	BatchNorm       string    `toml:"batch_norm"`       // "frozen" (running statistics, folded), "train", or "head": frozen in the backbone, learnt in the head
	BNMomentum      float64   `toml:"bn_momentum"`      // weight of a batch in the running statistics; 0 = 0.1, but 0.01 for deeplab-v3plus's backbone
	Iterations      int       `toml:"iterations"`       // optimiser updates
	Batch           int       `toml:"batch"`            // images per forward pass
	Accumulate      int       `toml:"accumulate"`       // forward passes per update
	Crop            int       `toml:"crop"`             // square training crop, pixels
	Scales          []float64 `toml:"scales"`           // random scale: one of these …
	ScaleRange      []float64 `toml:"scale_range"`      // … or uniform in [min, max] where two values are given
	CropAt          string    `toml:"crop_at"`          // "random", or "center": the short side scaled to crop, the middle cut out
	Flip            bool      `toml:"flip"`             // horizontal flip, probability 0.5
	Optimizer       string    `toml:"optimizer"`        // "sgd", or "adamw" for short runs from a random start
	LR              float64   `toml:"lr"`               // backbone learning rate
	HeadMult        float64   `toml:"head_mult"`        // × lr for head weights
	BiasMult        float64   `toml:"bias_mult"`        // × lr for head biases, which get no weight decay
	Momentum        float64   `toml:"momentum"`         // of sgd
	WeightDecay     float64   `toml:"weight_decay"`     //
	PolyPower       float64   `toml:"poly_power"`       // lr · (1 − t/T)^power
	LRMin           float64   `toml:"lr_min"`           // floor of the schedule
	LREvery         int       `toml:"lr_every"`         // the schedule moves every n updates
	EMA             float64   `toml:"ema"`              // decay of a moving average of the weights, which then predicts; 0 = none
	Confidence      string    `toml:"confidence"`       // use of the masks' scores: none, mask (leave out pixels below confidence_min), weight (of a pixel in the loss)
	ConfidenceMin   float64   `toml:"confidence_min"`   //
	Bootstrap       float64   `toml:"bootstrap"`        // share of the network's own opinion in a pixel's target; 0 = labels only
	LossClip        float64   `toml:"loss_clip"`        // pixels of a higher loss have no gradient; 0 = none
	SelfRounds      int       `toml:"self_rounds"`      // further rounds of training, on labels that the network helps to choose: see SelfRules
	SelfMin         float64   `toml:"self_min"`         // … which a network counts as sure from this probability on; see SelfRules
	Diverge         float64   `toml:"diverge"`          // stop when the smoothed loss exceeds so many times its lowest; 0 = never
	TensorBoard     bool      `toml:"tensorboard"`      // also write the log as TensorBoard events
	Workers         int       `toml:"workers"`          // decode and augmentation goroutines; 0 = one per CPU
	CheckpointEvery int       `toml:"checkpoint_every"` // updates between checkpoints
	Keep            int       `toml:"keep"`             // checkpoints kept beside the last
	ValEvery        int       `toml:"val_every"`        // updates between validation runs; 0 = only at the end
	ValImages       int       `toml:"val_images"`       // images of such a run; 0 = all

	ScaleBy string  `toml:"scale_by" json:",omitempty"` // what the scale multiplies: "image", its own size, or "crop": the short side becomes scale · crop; "" = image
	Blur    float64 `toml:"blur" json:",omitempty"`     // probability of a Gaussian blur, deviation up to a pixel of the crop

	NoiseWarmup float64 `toml:"noise_warmup" json:",omitempty"` // share of the updates on plain labels before bootstrap and loss_clip begin; 0 = they act from the first
	SelfRule    string  `toml:"self_rule" json:",omitempty"`    // what a further round of self_rounds learns where network and pseudo-label differ: see SelfRules; "" = the first
	SelfStart   string  `toml:"self_start" json:",omitempty"`   // weights that a further round starts from: "init", as the first, or "last", the round before; "" = init

	// How a step is computed: none of these changes what is learnt, but for rounding.
	Precision string `toml:"precision" json:",omitempty"` // of the network: float32, tf32 (NVIDIA's rounding of products) or bf16; weights, statistics and loss stay float32
	Recompute int    `toml:"recompute" json:",omitempty"` // residual blocks that the backward pass computes again together instead of keeping their activations; 0 = none
	Devices   int    `toml:"devices" json:",omitempty"`   // devices that share each batch; 0 = 1
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

// Compare is another way to make pseudo-labels: a row of the same table, not
// trained on.
type Compare struct {
	Name    string         `toml:"name"`
	Method  string         `toml:"method"`
	Weak    string         `toml:"weak"`  // "" = gen.weak
	Split   string         `toml:"split"` // to label and score; "" = data.train_split
	Fuse    Fuse           `toml:"fuse"`
	Options map[string]any `toml:"options"`

	Published string   `toml:"published"` // the row of a paper that this is, "jiang2023 1 6"; see eval/published
	Over      []string `toml:"over"`      // names of rows that papers have below it; wsss table says whether they are
}

// Gen is the row as a stage one of its own.
func (c Compare) Gen(workers int) Gen {
	return Gen{Method: c.Method, Weak: c.Weak, Workers: workers, Fuse: c.Fuse, Options: c.Options}
}

// Eval is what the report scores.
type Eval struct {
	Scales   []float64  `toml:"scales"`    // test-time scales; logits averaged
	Flip     bool       `toml:"flip"`      // test-time horizontal flip
	Against  []Against  `toml:"against"`   // label folders to score beside ours
	ZeroShot []ZeroShot `toml:"zero_shot"` // methods that label the validation split without training
	Network  []Network  `toml:"network"`   // networks that other runs trained
	ONNX     []ONNX     `toml:"onnx"`      // segmenters of the user's own
	TestTime []TestTime `toml:"test_time"` // further ways to run each trained network, a row each
	Boundary bool       `toml:"boundary"`  // also boundary IoU and trimap IoU (slower)
	Bucket   int        `toml:"bucket"`    // photos share compiled networks: sides go to about multiples of so many pixels; 1 = own size, exact; 0 = by engine

	TrainSplit  bool     `toml:"train_split"`  // score trained networks on the training split, too
	HourlyPrice float64  `toml:"hourly_price"` // of the machine: the report then tells the price of 1,000 images
	Published   []string `toml:"published"`    // rows of papers that the run repeats, "box2024 1 17"; see eval/published

	Overlays int `toml:"overlays"` // images shown in the HTML report, worst first; 0 = all
	Workers  int `toml:"workers"`
}

// ZeroShot is a gen method that needs no weak labels, scored as a predictor.
type ZeroShot struct {
	Name    string         `toml:"name"`
	Method  string         `toml:"method"` // registered method that takes gen.weak = "none"
	Fuse    Fuse           `toml:"fuse"`
	Options map[string]any `toml:"options"` // the method's own keys
}

// Against is another tool's label folder, scored in the same table.
type Against struct {
	Name  string `toml:"name"`
	Dir   string `toml:"dir"`
	Split string `toml:"split"` // "" = train split

	Published string `toml:"published"` // the row of a paper that this is, "box2024 1 3"
}

// Default returns the values of keys that a file leaves out.
func Default() Config {
	return Config{
		Name: "wsss", Out: "runs/wsss", Seed: 1,
		Data: Data{Kind: "voc", TrainSplit: "train_aug", ValSplit: "val"},
		Gen:  Gen{Method: "grabcut", Weak: "boxes", Fuse: Fuse{Rule: "score", Margin: 0.1, MinScore: 0.5}},
		Train: Train{
			Arch: "deeplab-v2", Backbone: "resnet101", Width: 1, OutputStride: 8, StrideIn: "1x1", MSC: true,
			Input: "caffe", BatchNorm: "frozen",
			Iterations: 20000, Batch: 5, Accumulate: 2, Crop: 321,
			Scales: []float64{0.5, 0.75, 1, 1.25, 1.5}, CropAt: "random", Flip: true,
			Optimizer: "sgd", LR: 2.5e-4, HeadMult: 10, BiasMult: 20, Momentum: 0.9, WeightDecay: 5e-4,
			PolyPower: 0.9, LREvery: 10, Confidence: "none", CheckpointEvery: 500, Keep: 2,
		},
		Eval:         Eval{Scales: []float64{1}, Overlays: 60},
		FineTuneCLIP: defaultFineTuneCLIP(),
		Classifier:   defaultClassifier(),
	}
}
