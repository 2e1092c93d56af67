package eval

import (
	"encoding/json"
	"path/filepath"
	"time"

	"wsss/checkpoints/files"
)

// SpeedFile lies beside label maps and says how long making them took, so that
// a later result over them still tells their speed.
const SpeedFile = "speed.json"

type speedFile struct {
	Hash    string  `json:"hash"`
	Images  int     `json:"images"`
	Seconds float64 `json:"seconds"`

	Stages map[string]float64 `json:"stages,omitempty"` // seconds of all workers, by stage
}

// RecordSpeed adds label maps that a run has made to those that earlier runs of
// the same hash made in dir. An empty hash is that of no earlier run. stages
// are the seconds of all workers by stage, nil where they are not known.
func RecordSpeed(dir, hash string, images int, took time.Duration, stages map[string]float64) error {
	if images == 0 {
		return nil
	}
	sum, ok := readSpeed(dir)
	if !ok || sum.Hash != hash || hash == "" {
		sum = speedFile{Hash: hash}
	}
	sum.Images += images
	sum.Seconds += took.Seconds()
	if sum.Stages == nil && len(stages) > 0 {
		sum.Stages = map[string]float64{}
	}
	for name, seconds := range stages {
		sum.Stages[name] += seconds
	}
	return files.WriteJSON(filepath.Join(dir, SpeedFile), sum)
}

// Speed is the images per second at which the label maps in dir were made by
// the runs of a hash; 0 where that is not known.
func Speed(dir, hash string) float64 {
	if sum, ok := readSpeed(dir); ok && sum.Hash == hash && sum.Seconds > 0 {
		return float64(sum.Images) / sum.Seconds
	}
	return 0
}

// StageSeconds are the seconds of all workers that the label maps in dir took
// by stage, nil where that is not known.
func StageSeconds(dir, hash string) map[string]float64 {
	if sum, ok := readSpeed(dir); ok && sum.Hash == hash {
		return sum.Stages
	}
	return nil
}

func readSpeed(dir string) (speedFile, bool) {
	var sum speedFile
	raw, err := files.ReadLimited(filepath.Join(dir, SpeedFile), files.MaxRecord)
	return sum, err == nil && json.Unmarshal(raw, &sum) == nil
}
