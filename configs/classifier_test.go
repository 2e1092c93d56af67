package configs

import (
	"strings"
	"testing"
)

func TestClassifier(t *testing.T) {
	for _, tt := range []struct{ set, want string }{
		{"classifier.long=[640, 320]", "classifier.long"},
		{"classifier.long=[]", ""},
		{"classifier.momentum=1.0", "classifier.momentum"},
		{"classifier.backbone=vgg19", "resnet101"},
		{"classifier.cut_after=4", "classifier.cut_after"},
		{"classifier.weight=1", "allowed are epochs, batch, unknown, network.backbone, network.width"},
	} {
		_, err := Load("", []string{tt.set})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.set, err, tt.want)
		}
	}
	c := Default()
	same, err := c.With("classifier.workers=3", "classifier.init=a.pth", "data.val_split=train")
	if err != nil || same.ClassifierHash() != c.ClassifierHash() {
		t.Errorf("a hash that depends on what does not count (%v)", err)
	}
	if other, _ := c.With("classifier.lr=0.2"); other.ClassifierHash() == c.ClassifierHash() {
		t.Error("another rate, the same hash")
	}
}
