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
	IRN          IRN          `toml:"irn"`           // and another: the network of inter-pixel relations
}

// Data chooses the dataset.
type Data struct {
	Kind       string `toml:"kind" hash:"1"` // registered dataset kind
	Root       string `toml:"root" hash:"2,zero"`
	TrainSplit string `toml:"train_split" hash:"3"`    // images that get pseudo-labels and train the network
	ValSplit   string `toml:"val_split" hash:"4,zero"` // images that score the network
	// Corrections is the folder of what was corrected in review; "" = corrections
	// below root, or below out where there is none; "none" = no corrections count.
	Corrections string         `toml:"corrections" json:"-" hash:"-"`
	Options     map[string]any `toml:"options" hash:"5"` // the dataset's own keys
}

// Gen is stage one: weak labels to pseudo-label masks.
type Gen struct {
	Method  string         `toml:"method" hash:"1"`       // registered method
	Weak    string         `toml:"weak" hash:"2"`         // none, tags, points, scribbles, boxes, exemplars (boxes on a few photos)
	Workers int            `toml:"workers" hash:"3,zero"` // images in flight; 0 = one per CPU
	Fuse    Fuse           `toml:"fuse" hash:"4"`
	Options map[string]any `toml:"options" hash:"5"` // the method's own keys
	// Checks also labels a changed image ("flip": mirrored, "scale": at 3/4 of
	// the size) and notes in the sidecar how far both labels agree, a sign of
	// quality without ground truth. Each takes as long as the label itself.
	Checks []string `toml:"checks" json:",omitempty" hash:"6,omitempty"`
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
	Scales   []float64  `toml:"scales"`                // test-time scales; logits averaged
	Flip     bool       `toml:"flip"`                  // test-time horizontal flip
	Against  []Against  `toml:"against"`               // label folders to score beside ours
	ZeroShot []ZeroShot `toml:"zero_shot"`             // methods that label the validation split without training
	Network  []Network  `toml:"network"`               // networks that other runs trained
	ONNX     []ONNX     `toml:"onnx"`                  // segmenters of the user's own
	Rows     []Row      `toml:"row" json:",omitempty"` // rows of registered kinds
	TestTime []TestTime `toml:"test_time"`             // further ways to run each trained network, a row each
	Boundary bool       `toml:"boundary"`              // also boundary IoU and trimap IoU (slower)
	Bucket   int        `toml:"bucket"`                // photos share compiled networks: sides go to about multiples of so many pixels; 1 = own size, exact; 0 = by engine

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
		Data:         Data{Kind: "voc", TrainSplit: "train_aug", ValSplit: "val"},
		Gen:          Gen{Method: "grabcut", Weak: "boxes", Fuse: Fuse{Rule: "score", Margin: 0.1, MinScore: 0.5}},
		Train:        defaultTrain(),
		Eval:         Eval{Scales: []float64{1}, Overlays: 60},
		FineTuneCLIP: defaultFineTuneCLIP(),
		Classifier:   defaultClassifier(),
		IRN:          defaultIRN(),
	}
}
