package configs

import "testing"

// TestDefaultMSC: deeplab-v2 alone has MSC where a config does not say.
func TestDefaultMSC(t *testing.T) {
	for _, c := range []struct {
		set  []string
		want bool
	}{
		{nil, true},
		{[]string{"train.network.msc=false"}, false},
		{[]string{"train.network.arch=deeplab-v3plus"}, false},
		{[]string{"train.arch=deeplab-v3plus"}, false},
		{[]string{"train.network.arch=deeplab-v3plus", "train.network.msc=true"}, true},
		{[]string{"train.network.arch=deeplab-v3plus", "train.msc=true"}, true},
	} {
		cfg, err := Load("", c.set)
		if err != nil || cfg.Train.MSC != c.want {
			t.Errorf("%v: msc = %v (%v), want %v", c.set, cfg.Train.MSC, err, c.want)
		}
	}
}
