package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/words"
	"wsss/gen"
	"wsss/train"
)

// saveHashes keeps what the run knows of the files of its data for the next
// call; losing it costs time only.
func (p *Run) saveHashes() {
	if err := p.hashes.Save(); err != nil {
		p.Say("note: %v; the data's files will be read again next time", err)
	}
}

// explainChanges says which labels were made again, and why.
func (p *Run) explainChanges(s gen.Summary) {
	if text := ChangesText(s); text != "" {
		p.Say("  %s", text)
	}
	if n := s.Changes.Old; n > 0 {
		p.Say("  note: %s from an earlier version, which did not note what a label was made from: taken for up to date; changes from now on are noticed", words.Count(n, "label is", "labels are"))
	}
}

// ChangesText is "3 of 40 made again: 2 labels edited, 1 photo replaced; 1
// image is gone"; "" where nothing changed.
func ChangesText(s gen.Summary) string {
	var parts []string
	c := s.Changes
	if n := c.Stale(); n > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d made again: %s", n, s.Images, c.Why()))
	}
	if c.New > 0 && (s.Grown || c.Gone > 0) && c.New < s.Images {
		parts = append(parts, words.Count(c.New, "new image", "new images"))
	}
	if c.Gone > 0 {
		parts = append(parts, words.Count(c.Gone, "image is gone", "images are gone"))
	}
	return strings.Join(parts, "; ")
}

// changesName is the file of a run that tells which of its labels were made again.
const changesName = "changes.json"

// mostChanges bounds what it keeps, the latest.
const mostChanges = 20

// madeAgain is what the run's changesName tells; nothing where it cannot be read.
func (p *Run) madeAgain() (list []string) {
	raw, err := files.ReadLimited(p.Path(changesName), files.MaxRecord)
	if err != nil || json.Unmarshal(raw, &list) != nil {
		return nil
	}
	return list
}

// noteChanges keeps for the report what a labeller has made again.
func (p *Run) noteChanges(title string, s gen.Summary) error {
	if s.Changes.Stale()+s.Changes.Gone == 0 {
		return nil
	}
	list := append(p.madeAgain(), fmt.Sprintf("%s: %s%s", time.Now().UTC().Format("2006-01-02 15:04 UTC"), title, ChangesText(s)))
	return files.WriteJSON(p.Path(changesName), list[max(0, len(list)-mostChanges):])
}

// staleLabels counts what gen would make again of the labels that it has made;
// nothing where it has made none.
func (p *Run) staleLabels(ctx context.Context) (gen.Changes, error) {
	dir, ours := p.trainLabels()
	if !ours || dir != p.labelsDir() || checkGenerated(dir) != nil {
		return gen.Changes{}, nil
	}
	g := p.Config.Gen
	return gen.Check(ctx, gen.RunOptions{
		Dataset: p.Dataset, Split: p.Config.Data.TrainSplit, Name: g.Method, Weak: data.WeakKind(g.Weak), Fuse: g.Fuse,
		OutDir: dir, ConfigHash: p.Config.GenHash(), Hashes: p.hashes,
	})
}

// refreshLabels makes the pseudo-labels again whose data were edited since,
// before a network learns them. Labels of other settings are left to the user.
func (p *Run) refreshLabels(ctx context.Context) error {
	c, err := p.staleLabels(ctx)
	if err != nil {
		return err
	}
	if c.Settings > 0 {
		p.noteSettings(c)
	}
	if c.Data() == 0 || c.Settings > 0 {
		return nil
	}
	p.Say("pseudo-labels are older than their data: %s", c.Why())
	return p.Gen(ctx, GenOptions{KeepGoing: p.KeepGoing})
}

func (p *Run) noteSettings(c gen.Changes) {
	p.Say("note: %s made with other settings than the config's; `wsss gen` makes them again", words.Count(c.Settings, "pseudo-label is", "pseudo-labels are"))
}

// NoteStale says which labels and networks are older than the data, or of other
// settings than the config's, of what is about to be scored. It makes nothing again:
// that can take days.
func (p *Run) NoteStale(ctx context.Context) {
	for _, net := range p.Networks() {
		if c, err := checkpoints.Latest(p.Path("train", net), nil); err == nil {
			if c.Close(); c.Meta.ConfigHash != p.Config.TrainHash() {
				p.Say("note: the network %s has learnt by other settings than the config's; `wsss run -restart` trains it again", NetTitle(net))
			}
		}
	}
	p.noteOlder(ctx)
}

// noteOlder says which labels and networks are older than the data.
func (p *Run) noteOlder(ctx context.Context) {
	if p.Dataset == nil {
		return
	}
	c, err := p.staleLabels(ctx)
	if err == nil && c.Settings > 0 {
		p.noteSettings(c)
	}
	if err == nil && c.Data() > 0 {
		p.Say("note: %s older than the data (%s): `wsss gen` or `wsss run` makes them again", words.Count(c.Data(), "pseudo-label is", "pseudo-labels are"), c.Why())
	}
	for _, net := range p.Networks() {
		if net == NetPseudo && p.Config.Train.SelfRounds > 0 {
			continue // its labels are those of the round before
		}
		job := train.Job{Dataset: p.Dataset, Split: p.Config.Data.TrainSplit, Config: p.Config.Train, Seed: p.Config.Seed,
			OutDir: p.Path("train", net), ConfigHash: p.Config.TrainHash(), Hashes: p.hashes}
		if net == NetPseudo {
			job.LabelsDir, _ = p.trainLabels()
			if ids, err := labelledIn(p.Dataset, job.Split, job.LabelsDir); err == nil {
				job.IDs = ids
			}
		}
		if text, err := train.Changed(ctx, job); err == nil && text != "" {
			p.Say("note: the network %s: %s since it was trained; `wsss train` or `wsss run` trains it again", NetTitle(net), text)
		}
	}
	p.saveHashes()
}

// NoteStale is noteOlder for a checkpoint in a run's folder,
// OUT/train/NET, by the config that the run left there. Elsewhere nothing is
// known of the data. It also warns of a network that learnt from labels of
// debug-size models.
func NoteStale(ctx context.Context, checkpoint string, o Options) {
	dir := checkpoint
	if info, err := files.Stat(checkpoint); err == nil && !info.IsDir() {
		dir = filepath.Dir(checkpoint)
	}
	out := filepath.Dir(filepath.Dir(dir))
	cfg, err := configs.Load(filepath.Join(out, "config.toml"), nil)
	if err != nil || filepath.Base(filepath.Dir(dir)) != "train" || cfg.Data.Kind == "scenes" {
		return
	}
	cfg.Out = out
	if filepath.Base(dir) == NetPseudo && cfg.Train.Labels == "" {
		(&Run{Options: o, Config: cfg}).warnDebugSize(cfg.Gen) // what the network learnt from
	}
	ds, err := OpenData(cfg.Data, cfg.Seed)
	if err != nil {
		return
	}
	p := &Run{Options: o, Config: cfg, Dataset: ds, hashes: files.OpenHashes(filepath.Join(out, files.HashesName))}
	p.correct()
	p.noteOlder(ctx)
}
