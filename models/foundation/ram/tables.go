package ram

var persons = []string{"person", "man", "woman", "boy", "girl", "child", "baby"}

// surveyVOC are the survey's keywords where they differ from the class name
// (docs/sources.md §2.3).
var surveyVOC = map[string][]string{
	"aeroplane": {"plane"}, "diningtable": {"table"}, "person": persons, "pottedplant": {"plant"}, "sofa": {"couch"},
	"tvmonitor": {"monitor", "screen", "television"},
}

// surveyCOCO likewise.
var surveyCOCO = map[string][]string{
	"person": persons, "airplane": {"plane"}, "fire hydrant": {"hydrant"}, "handbag": {"bag"}, "suitcase": {"luggage"},
	"skis": {"ski"}, "sports ball": {"ball"}, "potted plant": {"plant"}, "dining table": {"table"},
	"toilet": {"toilet", "bathroom"}, "tv": {"screen", "television", "monitor"}, "cell phone": {"phone"},
	"refrigerator": {"fridge"}, "teddy bear": {"teddy"},
}

// Words of RAM's list that mean the same class in VOC and COCO.
var (
	aircraft = []string{"plane", "airliner", "biplane", "fighter jet", "cargo aircraft", "bomber", "seaplane", "jet"}
	bicycles = []string{"bicycle", "mountain bike"}
	birds    = []string{"bird", "blackbird", "blue jay", "bluebird", "chicken", "cormorant", "crow", "duck", "duckling", "eagle", "bald eagle",
		"barn owl", "owl", "egret", "falcon", "flamingo", "goose", "gull", "hen", "house finch", "canary", "cockatoo", "ostrich", "parrot",
		"peacock", "pelican", "penguin", "pheasant", "pigeon", "puffin", "quail", "raven", "robin", "seabird", "sparrow", "stork", "swallow",
		"swan", "toucan", "turkey", "vulture", "water bird", "wood duck", "woodpecker"}
	boats = []string{"boat", "canoe", "catamaran", "ferry", "fishing boat", "inflatable boat", "kayak", "lifeboat", "motorboat",
		"pilot boat", "river boat", "rowboat", "sailboat", "schooner", "speedboat", "tugboat", "yacht"}
	bottles = []string{"bottle", "beer bottle", "wine bottle", "baby bottle"}
	buses   = []string{"bus", "city bus", "decker bus", "minibus", "school bus", "tour bus"}
	cars    = []string{"car", "convertible", "coupe", "jeep", "minivan", "police car", "race car", "sedan", "sports car", "suv", "taxi"}
	cats    = []string{"cat", "american shorthair", "english shorthair", "persian cat", "siamese", "tabby"}
	chairs  = []string{"chair", "armchair", "beach chair", "computer chair", "feeding chair", "folding chair", "office chair", "rocking chair", "swivel chair"}
	cows    = []string{"cow", "bull", "calf", "cattle"}
	tables  = []string{"dinning table", "kitchen table", "round table"} // spelt as in the list
	dogs    = []string{"dog", "german shepherd", "beagle", "bichon", "border collie", "bulldog", "chihuahua", "cocker", "corgi", "dachshund",
		"dalmatian", "doberman", "pitbull", "police dog", "pomeranian", "poodle", "pug", "retriever", "rottweiler", "samoyed", "schnauzer",
		"sheepdog", "shiba inu", "street dog"}
	horses     = []string{"horse", "pony", "stallion"}
	motorbikes = []string{"motorbike", "motorcycle", "dirt bike", "moped", "vespa"}
	people     = []string{"person", "man", "woman", "boy", "girl", "child", "baby", "toddler", "pedestrian", "teenager", "senior"}
	potted     = []string{"houseplant", "bonsai"}
	sheep      = []string{"sheep", "black sheep", "ewe", "lamb", "ram"}
	sofas      = []string{"couch", "futon", "loveseat"}
	trains     = []string{"train", "bullet train", "passenger train", "steam train", "steam locomotive"}
	screens    = []string{"television", "monitor", "computer monitor", "computer screen", "crt screen"}
)

// aliasesVOC are the tags of RAM's list that mean a class and nothing else.
var aliasesVOC = map[string][]string{
	"aeroplane": aircraft, "bicycle": bicycles, "bird": birds, "boat": boats, "bottle": bottles, "bus": buses, "car": cars, "cat": cats,
	"chair": chairs, "cow": cows, "diningtable": tables, "dog": dogs, "horse": horses, "motorbike": motorbikes, "person": people,
	"pottedplant": potted, "sheep": sheep, "sofa": sofas, "train": trains, "tvmonitor": screens,
}

// aliasesCOCO likewise.
var aliasesCOCO = map[string][]string{
	"person": people, "bicycle": bicycles, "car": cars, "motorcycle": motorbikes, "airplane": aircraft, "bus": buses, "train": trains,
	"truck": {"garbage truck", "tow truck", "trailer truck"}, "boat": boats, "fire hydrant": {"hydrant"}, "bench": {"park bench", "church bench"},
	"bird": birds, "cat": cats, "dog": dogs, "horse": horses, "sheep": sheep, "cow": cows, "elephant": {"baby elephant"},
	"bear": {"brown bear", "bear cub"}, "handbag": {"clutch bag"}, "suitcase": {"luggage"}, "skis": {"ski"},
	"sports ball": {"basketball", "baseball", "football", "volleyball", "rugby ball"}, "bottle": bottles, "cup": {"coffee cup", "teacup", "mug", "paper cup"},
	"knife": {"kitchen knife", "pocketknife", "steak knife"}, "spoon": {"soupspoon", "wooden spoon"}, "bowl": {"salad bowl", "soup bowl"},
	"hot dog": {"chili dog"}, "cake": {"birthday cake", "chocolate cake", "wedding cake"}, "chair": chairs, "couch": sofas, "potted plant": potted,
	"bed": {"bunk bed", "canopy bed", "infant bed", "day bed"}, "dining table": tables, "toilet": {"toilet bowl"},
	"tv": screens, "remote": {"control"}, "cell phone": {"phone", "smartphone", "iphone"}, "sink": {"bathroom sink", "kitchen sink"},
	"refrigerator": {"fridge"}, "clock": {"alarm clock", "digital clock", "wall clock"}, "teddy bear": {"teddy"},
}
