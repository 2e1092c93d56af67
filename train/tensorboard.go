package train

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"wsss/checkpoints/files"
)

// EventsFile is the log in TensorBoard's format, written if train.checkpoint.tensorboard
// is set: `tensorboard --logdir OUT/train`. Every call of Run begins it anew
// from the metrics log. Unlike that log it holds times.
const EventsFile = "events.out.tfevents.0.wsss"

// eventLog writes scalars as TFRecords of Event messages.
type eventLog struct{ f *files.Growing }

func openEvents(dir string, before []Record) (*eventLog, error) {
	f, _, err := files.OpenGrowing(filepath.Join(dir, EventsFile), 0)
	if err != nil {
		return nil, err
	}
	e := &eventLog{f}
	err = e.write(0, func(b []byte) []byte {
		b = protowire.AppendTag(b, 3, protowire.BytesType) // file_version
		return protowire.AppendString(b, "brain.Event:2")
	})
	for _, r := range before {
		if err == nil {
			err = e.add(r)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return e, nil
}

// add writes the scalars of a record.
func (e *eventLog) add(r Record) error {
	scalars := []struct {
		tag   string
		value float64
	}{}
	put := func(tag string, v float64) {
		scalars = append(scalars, struct {
			tag   string
			value float64
		}{tag, v})
	}
	if len(r.LR) > 0 {
		put("train/loss", r.Loss)
		put("train/lr", r.LR[0])
		put("train/grad_norm", r.GradNorm)
	}
	if r.ValMIoU != nil {
		put("val/miou", *r.ValMIoU)
	}
	if len(scalars) == 0 {
		return nil
	}
	return e.write(r.Step, func(b []byte) []byte {
		var summary []byte
		for _, s := range scalars {
			var value []byte
			value = protowire.AppendTag(value, 1, protowire.BytesType) // tag
			value = protowire.AppendString(value, s.tag)
			value = protowire.AppendTag(value, 2, protowire.Fixed32Type) // simple_value
			value = protowire.AppendFixed32(value, math.Float32bits(float32(s.value)))
			summary = protowire.AppendTag(summary, 1, protowire.BytesType) // value
			summary = protowire.AppendBytes(summary, value)
		}
		b = protowire.AppendTag(b, 5, protowire.BytesType) // summary
		return protowire.AppendBytes(b, summary)
	})
}

// write appends one Event: its length and its bytes, each with a checksum.
func (e *eventLog) write(step int, what func([]byte) []byte) error {
	var event []byte
	event = protowire.AppendTag(event, 1, protowire.Fixed64Type) // wall_time
	event = protowire.AppendFixed64(event, math.Float64bits(float64(time.Now().UnixNano())/1e9))
	event = protowire.AppendTag(event, 2, protowire.VarintType) // step
	event = protowire.AppendVarint(event, uint64(step))
	event = what(event)
	record := binary.LittleEndian.AppendUint64(nil, uint64(len(event)))
	record = binary.LittleEndian.AppendUint32(record, maskedCRC(record))
	record = append(record, event...)
	record = binary.LittleEndian.AppendUint32(record, maskedCRC(event))
	_, err := e.f.Write(record)
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedCRC is the checksum of TFRecord files.
func maskedCRC(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}
