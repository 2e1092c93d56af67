package annotation

import (
	"encoding/json"
	"maps"
	"slices"
)

// flatKeys are keys of a JSON-MIN task that hold no annotation.
var flatKeys = []string{"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement"}

// flatTask reads a task of JSON-MIN: the data's keys and the controls' names
// side by side. A control's value is a list of regions, a choice, or
// {"choices": […]}.
func flatTask(raw []byte) (map[string]any, []studioResult, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, nil, err
	}
	fields := map[string]any{}
	keys := slices.Sorted(maps.Keys(all))
	results := []studioResult{}
	for _, key := range keys {
		if slices.Contains(flatKeys, key) {
			continue
		}
		var text string
		var many struct {
			Choices []string `json:"choices"`
		}
		part := all[key]
		switch {
		case json.Unmarshal(part, &text) == nil:
			fields[key] = text
			if key == "choice" || key == "choices" {
				results = append(results, studioResult{Value: studioValue{choices: []string{text}}})
			}
		case json.Unmarshal(part, &many) == nil:
			if len(many.Choices) > 0 {
				results = append(results, studioResult{Value: studioValue{choices: many.Choices}})
			}
		case len(part) > 0 && part[0] == '[':
			regions, err := flatRegions(part)
			if err != nil {
				return nil, nil, err
			}
			results = append(results, regions...)
		}
	}
	return fields, results, nil
}

// flatRegions reads a list of regions, whose sizes stand inside the values.
func flatRegions(raw []byte) ([]studioResult, error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return nil, err
	}
	var results []studioResult
	for _, part := range parts {
		if len(part) == 0 || part[0] != '{' {
			continue
		}
		var r studioResult
		if err := json.Unmarshal(part, &r); err != nil {
			return nil, err
		}
		r.Type = ""
		if err := json.Unmarshal(part, &r.Value); err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}
