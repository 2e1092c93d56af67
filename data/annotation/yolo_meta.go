package annotation

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"wsss/data/maskcode"
)

// yoloMeta is what the files beside the labels say.
type yoloMeta struct {
	from      string // the file that names the classes
	names     []string
	split     map[string]string // id → split, of the lists
	trained   []string          // ids that those of train name
	keypoints bool
}

// put notes that a split holds a photo. Of several, val counts before test, and both
// before train, so that nothing is scored that was learnt.
func (m *yoloMeta) put(id, split string) {
	if split == "train" {
		m.trained = append(m.trained, id)
	}
	order := []string{"train", "test", "val"}
	if had, ok := m.split[id]; !ok || slices.Index(order, split) > slices.Index(order, had) {
		m.split[id] = split
	}
}

// settle leaves photos to train on where val or test names all of train's, as
// the data.yaml of a small set does: they are of train then, and of nothing else.
func (m *yoloMeta) settle() {
	if slices.ContainsFunc(m.trained, func(id string) bool { return m.split[id] == "train" }) {
		return
	}
	for _, id := range m.trained {
		m.split[id] = "train"
	}
}

// name is the name of a class number.
func (m *yoloMeta) name(class int) (string, error) {
	if class < len(m.names) {
		return m.names[class], nil
	}
	if m.from == "" {
		return fmt.Sprintf("class%03d", class), nil // sorts as the numbers do
	}
	return "", fmt.Errorf("class %d: %s names the classes 0..%d", class, m.from, len(m.names)-1)
}

// nameFiles are tables of class names, one a line, as YOLO's tools call them.
var nameFiles = []string{"obj.names", "_darknet.labels", "classes.txt", "labels.txt", "predefined_classes.txt"}

// readYOLOMeta looks for data.yaml, then darknet's obj.data and obj.names, then
// a table of names. Without any of them the classes have numbers.
func readYOLOMeta(src *Source) (*yoloMeta, error) {
	m := &yoloMeta{split: map[string]string{}}
	defer m.settle()
	for _, file := range src.Files {
		if ext(file) != ".yaml" && ext(file) != ".yml" || !bytes.Contains(src.head(file), []byte("names")) {
			continue
		}
		if err := m.readYAML(src, file); err != nil {
			return nil, err
		}
		if len(m.names) > 0 {
			return m, nil
		}
	}
	var lists []string
	for _, file := range src.Files {
		if ext(file) == ".data" {
			if err := m.readDarknet(src, file); err != nil {
				return nil, err
			}
		}
		if base := path.Base(file); base == "train.txt" || base == "val.txt" || base == "valid.txt" || base == "test.txt" {
			lists = append(lists, file)
		}
	}
	for _, list := range lists {
		if err := m.readList(src, list, splitName(strings.TrimSuffix(path.Base(list), ".txt"))); err != nil {
			return nil, err
		}
	}
	for _, want := range nameFiles {
		for _, file := range src.Files {
			if len(m.names) > 0 || path.Base(file) != want && !(want == "obj.names" && ext(file) == ".names") {
				continue
			}
			raw, err := src.read(file)
			if err != nil {
				return nil, err
			}
			for line := range bytes.Lines(raw) {
				if name := string(bytes.TrimSpace(line)); name != "" {
					m.names = append(m.names, name)
				}
			}
			m.from = src.Path(file)
			m.dropBackground(want)
		}
	}
	return m, nil
}

// dropBackground leaves a first line "background" out of wsss' own classes.txt:
// YOLO's numbers begin with the first object.
func (m *yoloMeta) dropBackground(file string) {
	if file == "classes.txt" && len(m.names) > 1 && maskcode.IsBackground(m.names[0]) {
		m.names = m.names[1:]
	}
}

func (m *yoloMeta) readYAML(src *Source, file string) error {
	raw, err := src.read(file)
	if err != nil {
		return err
	}
	if len(raw) > 1<<20 {
		return nil // no table of classes is that long
	}
	var y struct {
		Path      string    `yaml:"path"`
		Train     yaml.Node `yaml:"train"`
		Val       yaml.Node `yaml:"val"`
		Valid     yaml.Node `yaml:"valid"`
		Test      yaml.Node `yaml:"test"`
		Names     yaml.Node `yaml:"names"`
		Keypoints []int     `yaml:"kpt_shape"`
	}
	if err := yaml.Unmarshal(raw, &y); err != nil {
		return fmt.Errorf("%s: %w", src.Path(file), err)
	}
	if m.names, err = yamlNames(&y.Names); err != nil {
		return fmt.Errorf("%s: names: %w", src.Path(file), err)
	}
	m.from, m.keypoints = src.Path(file), len(y.Keypoints) > 0
	for split, node := range map[string]*yaml.Node{"train": &y.Train, "val": &y.Val, "test": &y.Test} {
		for _, p := range slices.Concat(yamlStrings(node), map[bool][]string{true: yamlStrings(&y.Valid)}[split == "val"]) {
			if err := m.readPart(src, path.Join(path.Dir(file), "x"), y.Path, p, split); err != nil {
				return err
			}
		}
	}
	return nil
}

// yamlNames reads names as a list or as a map from number to name.
func yamlNames(n *yaml.Node) ([]string, error) {
	switch n.Kind {
	case yaml.SequenceNode:
		return yamlStrings(n), nil
	case yaml.MappingNode:
		names := make([]string, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, err := strconv.Atoi(n.Content[i].Value)
			if err != nil || k < 0 || k >= 1<<12 {
				return nil, fmt.Errorf("key %.40q: allowed are the numbers of the classes", n.Content[i].Value)
			}
			for len(names) <= k {
				names = append(names, "")
			}
			names[k] = n.Content[i+1].Value
		}
		for k, name := range names {
			if name == "" {
				names[k] = fmt.Sprintf("class%03d", k)
			}
		}
		return names, nil
	case 0:
		return nil, nil
	}
	return nil, errors.New("allowed are a list and a map from number to name")
}

func yamlStrings(n *yaml.Node) (list []string) {
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Value != "" && n.Tag != "!!null" {
			list = append(list, n.Value)
		}
	case yaml.SequenceNode:
		for _, c := range n.Content {
			if c.Kind == yaml.ScalarNode {
				list = append(list, c.Value)
			}
		}
	}
	return list
}

// readPart notes the split of the photos that an entry of data.yaml means: a
// folder, or a list of files. Entries are often of the machine that wrote
// them, so the end of the path that exists here counts.
func (m *yoloMeta) readPart(src *Source, near, base, entry, split string) error {
	clean := func(p string) string { return strings.Trim(path.Clean(strings.ReplaceAll(p, `\`, "/")), "/") }
	parts := strings.Split(clean(path.Join(clean(base), clean(entry))), "/")
	for i := range parts {
		end := strings.Join(parts[i:], "/")
		for _, candidate := range []string{path.Join(path.Dir(near), end), end} {
			if ext(candidate) == ".txt" && slices.Contains(src.Files, candidate) {
				return m.readList(src, candidate, split)
			}
			n := 0
			for id := range src.photos {
				if strings.HasPrefix(src.file(id), candidate+"/") {
					m.put(id, split)
					n++
				}
			}
			if n > 0 {
				return nil
			}
		}
	}
	return nil
}

// readList notes the split of the photos of a list.
func (m *yoloMeta) readList(src *Source, file, split string) error {
	raw, err := src.read(file)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(raw) {
		name := strings.TrimSpace(string(line))
		if name == "" {
			continue
		}
		id, err := src.Find(name, file)
		if err != nil {
			return fmt.Errorf("%s: %w", src.Path(file), err)
		}
		if id != "" {
			m.put(id, split)
		}
	}
	return nil
}

// readDarknet reads "key = value" lines: names, train, valid.
func (m *yoloMeta) readDarknet(src *Source, file string) error {
	raw, err := src.read(file)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(raw) {
		key, value, ok := strings.Cut(string(line), "=")
		split := splitName(strings.TrimSpace(key))
		if !ok || split == "" {
			continue
		}
		if err := m.readPart(src, file, "", strings.TrimSpace(value), split); err != nil {
			return err
		}
	}
	return nil
}
