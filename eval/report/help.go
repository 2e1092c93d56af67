package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"wsss/data"
	"wsss/data/metrics"
	"wsss/data/words"
	"wsss/eval"
)

// Census counts what there is to learn from.
type Census struct {
	Split    string                // that is learnt
	Images   int                   // of the split
	Labelled int                   // of them, with a label
	Rejected int                   // left out by a person in review
	Accepted int                   // accepted by a person in review
	Touched  int                   // corrected otherwise
	Classes  []int                 // images that show each class, by label value; nil = not known
	Weak     map[data.WeakKind]int // images with labels of each form
}

// help says what would help: which images, classes and forms of label are
// lacking, what corrections gain, and how far better labels can go. Each
// sentence is computed from the numbers of the run and says no more than they do.
func help(r *Report) []string {
	var out []string
	at := best(r.Rows)
	if c := r.Census; c != nil {
		out = append(out, c.unlabelled()...)
		out = append(out, c.rare(r, at)...)
		out = append(out, c.forms(r.Weak)...)
	}
	out = append(out, pays(r)...)
	if c := r.Census; c != nil && c.Accepted+c.Rejected+c.Touched > 0 {
		out = append(out, fmt.Sprintf("So far %s, %d rejected and %d corrected in review.", words.Count(c.Accepted, "label was accepted", "labels were accepted"), c.Rejected, c.Touched))
	}
	if at >= 0 {
		out = append(out, limit(r.Rows, at)...)
		out = append(out, certainty(r.Rows[at].Result)...)
	} else if len(r.Rows) > 0 {
		out = append(out, "True masks would let networks be scored: labels of the validation split that somebody accepts in wsss review count as such.")
	}
	return out
}

// unlabelled says how many images teach nothing.
func (c *Census) unlabelled() []string {
	n := c.Images - c.Labelled - c.Rejected
	if n <= 0 || c.Labelled == 0 && c.Rejected == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Labels for the %s of split %s that have none: %d of its %d are learnt.", words.Plural(n, "image"), c.Split, c.Labelled, c.Images)}
}

// few is below how many images a class is called rare, if it is also in fewer
// than a quarter of the images that the median class is in.
const few = 10

// rare names the classes that no image or few images show, or says that the
// weakest class is not among them.
func (c *Census) rare(r *Report, at int) []string {
	if len(c.Classes) < 3 || len(r.Rows) == 0 {
		return nil
	}
	names := r.Rows[0].Classes
	if len(names) != len(c.Classes) {
		return nil
	}
	counts := slices.Sorted(slices.Values(c.Classes[1:]))
	median := counts[len(counts)/2]
	var none, seldom []int
	for class, n := range c.Classes {
		switch {
		case class == 0:
		case n == 0:
			none = append(none, class)
		case n < few && 4*n < median:
			seldom = append(seldom, class)
		}
	}
	iou := func(class int) string {
		if at >= 0 && class < len(r.Rows[at].IoU) && r.Rows[at].IoU[class].Valid() {
			return ", IoU " + r.Rows[at].IoU[class].Percent()
		}
		return ""
	}
	var out []string
	if len(none) > 0 {
		out = append(out, fmt.Sprintf("Images of %s: split %s has none, so nothing can be learnt of %s.", listed(none, func(v int) string { return className(names, v) }), c.Split, them(len(none))))
	}
	if len(seldom) > 0 {
		slices.SortStableFunc(seldom, func(a, b int) int { return cmp.Compare(c.Classes[a], c.Classes[b]) })
		out = append(out, fmt.Sprintf("More images of %s; the median class is in %d of %d.", listed(seldom, func(v int) string {
			return fmt.Sprintf("%s (%s%s)", className(names, v), words.Plural(c.Classes[v], "image"), iou(v))
		}), median, c.Images))
	} else if len(none) == 0 && at >= 0 {
		if w := weakest(r.Rows[at].Result); w > 0 && c.Classes[w] >= median {
			out = append(out, fmt.Sprintf("Its weakest class, %s%s, is in %s, no fewer than the median class (%d): a lack of images does not explain it.", className(names, w), iou(w), words.Plural(c.Classes[w], "image"), median))
		}
	}
	return out
}

func them(n int) string {
	if n == 1 {
		return "it"
	}
	return "them"
}

// weakest is the class with the lowest IoU, above background; 0 for none.
func weakest(r *eval.Result) int {
	at := 0
	for c, v := range r.IoU {
		if c > 0 && v.Valid() && (at == 0 || v < r.IoU[at]) {
			at = c
		}
	}
	return at
}

// listed joins the first of a list, and counts the others.
func listed(list []int, text func(int) string) string {
	const most = 5
	var parts []string
	for _, v := range list[:min(most, len(list))] {
		parts = append(parts, text(v))
	}
	if more := len(list) - most; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more", more))
	}
	if n := len(parts); n > 1 {
		return strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
	return parts[0]
}

// forms says which form of label, that tells more of where objects are, is in
// the data and unused, or is not there.
func (c *Census) forms(used data.WeakKind) []string {
	at := slices.Index(data.WeakKinds, used)
	if at < 0 || c.Weak == nil {
		return nil
	}
	var there []string
	for _, k := range slices.Backward(data.WeakKinds[at+1:]) {
		if n := c.Weak[k]; n > 0 {
			there = append(there, fmt.Sprintf("%s (%s)", k, words.Plural(n, "image")))
		}
	}
	switch {
	case len(there) > 0:
		return []string{fmt.Sprintf("The data also has %s, which say more of where objects are than the %s that these labels come from (gen.weak).", strings.Join(there, ", "), asked(used))}
	case used == data.WeakTags || used == data.WeakNone:
		return []string{fmt.Sprintf("Boxes, points or scribbles, of which there are none: %s say nothing of where objects are.", asked(used))}
	}
	return nil
}

func asked(k data.WeakKind) string {
	if k == data.WeakNone {
		return "class names"
	}
	return string(k)
}

// points is by how much corrections are asked to lift labels, in mIoU.
const points = 0.05

// pays says what corrections gave where that was tried, else what they would
// give by the true masks, else how many labels are doubtful.
func pays(r *Report) []string {
	if text := tried(meanPayoffs(r.Payoffs)); text != "" {
		return []string{text}
	}
	var out []string
	for _, row := range r.Rows {
		if row.Kind != eval.KindPseudo {
			continue
		}
		if text := correcting(row.Result); text != "" {
			return []string{text}
		}
		low := 0
		for _, q := range row.Quality {
			if q < 0.5 {
				low++
			}
		}
		if low > 0 && !row.MIoU.Valid() {
			out = append(out, fmt.Sprintf("Corrections: %s below 0.5, of %d of %s, and wsss review shows the most doubtful first.", words.Count(low, "label has a quality", "labels have a quality"), len(row.Quality), row.Name))
		}
	}
	return out
}

// tried says what corrections led to.
func tried(list []MeanPayoff) string {
	byOrder := map[string][]MeanPayoff{}
	for _, m := range list {
		byOrder[m.Order] = append(byOrder[m.Order], m)
	}
	gain := byOrder[OrderGain]
	if len(gain) < 2 || gain[0].Corrected != 0 {
		return ""
	}
	from, to := gain[0], gain[1]
	text := fmt.Sprintf("Corrections: the first %s in the order of wsss review moved the mIoU of labels by %+.1f points and the network's by %+.1f (%s",
		words.Plural(to.Corrected, "image"), 100*(to.Labels-from.Labels), 100*(to.Network-from.Network), words.Plural(to.Seeds, "seed"))
	if i := slices.IndexFunc(byOrder[OrderRandom], func(m MeanPayoff) bool { return m.Corrected == to.Corrected }); i >= 0 {
		m := byOrder[OrderRandom][i]
		text += fmt.Sprintf("; as many at random by %+.1f and %+.1f", 100*(m.Labels-from.Labels), 100*(m.Network-from.Network))
	}
	return text + ")."
}

// correcting computes how many of the worst labels would have to be replaced by
// their true masks to lift all by some points.
func correcting(r *eval.Result) string {
	if !r.MIoU.Valid() || len(r.PerImage) == 0 || len(r.Classes) == 0 {
		return ""
	}
	k := metrics.NewCounts(len(r.Classes))
	order := make([]eval.ImageScore, 0, len(r.PerImage))
	for _, im := range r.PerImage {
		if k.AddSparse(im.Counts) != nil {
			return ""
		}
		if im.MIoU.Valid() {
			order = append(order, im)
		}
	}
	slices.SortStableFunc(order, func(a, b eval.ImageScore) int { return cmp.Compare(a.MIoU, b.MIoU) })
	from := k.MeanIoU(r.Protocol.Absent)
	want := points
	if 1-from < 2*points {
		want = (1 - from) / 2
	}
	if math.IsNaN(from) || want <= 0.005 {
		return ""
	}
	for n, im := range order {
		for _, c := range im.Counts { // the label is its true mask now
			k.Pred[c.Class] += c.Truth - c.Pred
			k.TP[c.Class] += c.Truth - c.TP
		}
		if to := k.MeanIoU(r.Protocol.Absent); to >= from+want {
			return fmt.Sprintf("Corrections: true masks in the place of the %s with the lowest IoU, of %d, would lift the mIoU of %s from %.1f to %.1f.", words.Plural(n+1, "label"), len(r.PerImage), r.Name, 100*from, 100*to)
		}
	}
	return ""
}

// limit says how far better labels can bring the network.
func limit(rows []Row, at int) []string {
	b := rows[at]
	if b.Kind != eval.KindNetwork {
		return nil
	}
	i := slices.IndexFunc(rows, func(o Row) bool { return o.Kind == eval.KindBound && o.Split == b.Split && o.MIoU.Valid() })
	if i < 0 {
		return nil
	}
	gap := 100 * float64(rows[i].MIoU-b.MIoU)
	if gap < 0.05 {
		return []string{fmt.Sprintf("On true masks this network reaches %s: its labels do not hold it back.", rows[i].MIoU.Percent())}
	}
	return []string{fmt.Sprintf("On true masks this network reaches %s: better labels of the same images leave it %.1f points to gain, and the rest lies with images and network.", rows[i].MIoU.Percent(), gap)}
}

// certainty says what a narrower interval takes.
func certainty(r *eval.Result) []string {
	if r.CI == nil || r.Images == 0 {
		return nil
	}
	half := 100 * (r.CI.Hi - r.CI.Lo) / 2
	if !(half > 2) {
		return nil
	}
	return []string{fmt.Sprintf("More scored images, to be surer: the interval spans %.1f points either way over %s, and half of that takes about four times as many.", half, words.Plural(r.Images, "image"))}
}
