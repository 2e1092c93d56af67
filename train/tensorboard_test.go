package train

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// TestMaskedCRC pins the checksum by a TFRecord written by TensorFlow: the
// length 24 of a first event, as every event file begins.
func TestMaskedCRC(t *testing.T) {
	if got := maskedCRC([]byte{24, 0, 0, 0, 0, 0, 0, 0}); got != 0x224b7fa3 {
		t.Errorf("checksum %#x", got)
	}
}

// TestEvents reads an event file back, field by field.
func TestEvents(t *testing.T) {
	job := tinyJob(t, t.TempDir())
	job.Config.Iterations, job.Config.CheckpointEvery, job.Config.ValEvery, job.Config.TensorBoard = 6, 4, 4, true
	ctx, cancel := context.WithCancel(context.Background())
	job.Progress = func(done, _ int) {
		if done == 5 {
			cancel()
		}
	}
	if _, err := Run(ctx, job); err == nil {
		t.Fatal("not cancelled")
	}
	job.Progress = nil
	if _, err := Run(context.Background(), job); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(job.OutDir, EventsFile))
	if err != nil {
		t.Fatal(err)
	}
	log, err := ReadLog(filepath.Join(job.OutDir, LogFile))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]map[uint64]float32{}
	for n := 0; len(raw) > 0; n++ {
		size := binary.LittleEndian.Uint64(raw)
		event := raw[12:][:size]
		if binary.LittleEndian.Uint32(raw[8:]) != maskedCRC(raw[:8]) || binary.LittleEndian.Uint32(raw[12+size:]) != maskedCRC(event) {
			t.Fatalf("event %d: wrong checksum", n)
		}
		fields := parse(t, event)
		if n == 0 && string(fields[3][0]) != "brain.Event:2" {
			t.Errorf("file version %q", fields[3])
		}
		step, _ := protowire.ConsumeVarint(fields[2][0])
		for _, summary := range fields[5] {
			for _, value := range parse(t, summary)[1] {
				f := parse(t, value)
				tag := string(f[1][0])
				if got[tag] == nil {
					got[tag] = map[uint64]float32{}
				}
				got[tag][step] = math.Float32frombits(binary.LittleEndian.Uint32(f[2][0]))
			}
		}
		raw = raw[16+size:]
	}
	for _, r := range log {
		if r.ValMIoU != nil {
			if got["val/miou"][uint64(r.Step)] != float32(*r.ValMIoU) {
				t.Errorf("step %d: mIoU %g, want %g", r.Step, got["val/miou"][uint64(r.Step)], *r.ValMIoU)
			}
			continue
		}
		if got["train/loss"][uint64(r.Step)] != float32(r.Loss) || got["train/lr"][uint64(r.Step)] != float32(r.LR[0]) {
			t.Errorf("step %d: %v, want %+v", r.Step, got, r)
		}
	}
	if len(got["train/loss"]) != 6 || len(got["val/miou"]) != 2 {
		t.Errorf("events %v", got)
	}
}

// parse splits a message into the raw values of its fields.
func parse(t *testing.T, b []byte) map[protowire.Number][][]byte {
	fields := map[protowire.Number][][]byte{}
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		size := protowire.ConsumeFieldValue(num, kind, b)
		if size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		value := b[:size]
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(b)
		}
		fields[num] = append(fields[num], value)
		b = b[size:]
	}
	return fields
}
