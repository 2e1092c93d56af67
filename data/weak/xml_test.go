package weak

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/data"
)

// TestOddVOCXML: what tools write that are not VOC. The box is that of the
// pixels 2..9 and 3..7 of an image of 20×16, unless said otherwise.
func TestOddVOCXML(t *testing.T) {
	const (
		size  = "<size><width>20</width><height>16</height></size>"
		boxed = "<bndbox><xmin>3</xmin><ymin>4</ymin><xmax>10</xmax><ymax>8</ymax></bndbox>"
		cat   = "<object><name>cat</name>" + boxed + "</object>"
	)
	box := func(more ...data.Box) []data.Box {
		return append([]data.Box{{X0: 2, Y0: 3, X1: 10, Y1: 8, Class: 1}}, more...)
	}
	for _, tc := range []struct {
		name, text string
		boxes      []data.Box // nil: tags only
		note       string
		err        string
	}{
		{"plain", "<annotation>" + size + cat + "</annotation>", box(), "", ""},
		{"other root", "<Annotations>" + size + cat + "</Annotations>", box(), "", ""},
		{"namespace", `<a:annotation xmlns:a="http://example.org">` + size + cat + "</a:annotation>", box(), "", ""},
		{"capitals", "<Annotation>" + size + "<Object><Name>cat</Name><BndBox><Xmin>3</Xmin><Ymin>4</Ymin><Xmax>10</Xmax><Ymax>8</Ymax></BndBox></Object></Annotation>", box(), "", ""},
		{"fractions", "<annotation><size><width>20.0</width><height>16.0</height></size>" + strings.Replace(cat, ">3<", ">3.0<", 1) + "</annotation>", box(), "", ""},
		{"no size", "<annotation>" + cat + "</annotation>", box(), "", ""},
		{"empty size", "<annotation><size><width></width><height/></size>" + cat + "</annotation>", box(), "", ""},
		{"name in another case", "<annotation>" + size + strings.Replace(cat, "cat", " Cat ", 1) + "</annotation>", box(), "", ""},
		{"latin-1", `<?xml version="1.0" encoding="ISO-8859-1"?><annotation><folder>d` + "\xe9" + "</folder>" + size + cat + "</annotation>", box(), "", ""},
		{"swapped", "<annotation>" + size + "<object><name>cat</name><bndbox><xmin>10</xmin><ymin>8</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object></annotation>", box(), "object 1 (\"cat\"): bndbox (10,8)-(3,4) has its corners swapped", ""},
		{"polygon", "<annotation>" + size + "<object><name>cat</name><polygon><x1>3</x1><y1>4</y1><x2>10</x2><y2>4</y2><x3>10</x3><y3>8</y3></polygon></object></annotation>", box(), "", ""},
		{"polygon of points", "<annotation>" + size + "<object><name>cat</name><polygon><username>x</username><pt><x>3</x><y>4</y></pt><pt><x>10</x><y>8</y></pt></polygon></object></annotation>", box(), "", ""},
		{"turned box", "<annotation>" + size + "<object><type>robndbox</type><name>cat</name><robndbox><cx>6.0</cx><cy>5.5</cy><w>5</w><h>8</h><angle>1.5707963267948966</angle></robndbox></object></annotation>", box(), "", ""},
		{"turned box, by an eighth", "<annotation>" + size + "<object><name>cat</name><robndbox><cx>10</cx><cy>8</cy><w>4</w><h>2</h><angle>0.7853981633974483</angle></robndbox></object></annotation>", []data.Box{{X0: 10 - 2.1213203435596424, Y0: 8 - 2.1213203435596424, X1: 10 + 2.1213203435596424, Y1: 8 + 2.1213203435596424, Class: 1}}, "", ""},
		{"turned box of corners", "<annotation>" + size + "<object><name>cat</name><robndbox><x_left_top>3</x_left_top><y_left_top>6</y_left_top><x_right_top>7</x_right_top><y_right_top>4</y_right_top><x_right_bottom>10</x_right_bottom><y_right_bottom>5</y_right_bottom><x_left_bottom>6</x_left_bottom><y_left_bottom>8</y_left_bottom></robndbox></object></annotation>", box(), "", ""},
		{"turned box beside a plain one", "<annotation>" + size + cat + "<object><name>cat</name><robndbox><cx>6</cx><cy>5.5</cy><w>8</w><h>5</h><angle>0</angle></robndbox></object></annotation>", box(box()...), "", ""},
		{"part of a turned box", "<annotation>" + size + "<object><name>cat</name><robndbox><cx>6</cx><cy>5.5</cy><w>8</w><h>5</h></robndbox></object></annotation>", nil, "", `object 1 ("cat"): robndbox lacks angle`},
		{"polygon beside box", "<annotation>" + size + "<object><name>cat</name><polygon><x1>1</x1><y1>1</y1></polygon>" + boxed + "</object></annotation>", box(), "", ""},
		{"parts of a box, and a polygon", "<annotation>" + size + "<object><name>cat</name><bndbox><xmin>3</xmin></bndbox><polygon><x1>3</x1><y1>4</y1><x2>10</x2><y2>8</y2></polygon></object></annotation>", box(), "", ""},
		{"one pixel", "<annotation>" + size + "<object><name>cat</name><bndbox><xmin>3</xmin><ymin>4</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object></annotation>", []data.Box{{X0: 2, Y0: 3, X1: 3, Y1: 4, Class: 1}}, "", ""},
		{"counted from 0", "<annotation>" + size + "<object><name>cat</name><bndbox><xmin>0</xmin><ymin>0</ymin><xmax>20</xmax><ymax>16</ymax></bndbox></object></annotation>", []data.Box{{X1: 20, Y1: 16, Class: 1}}, "", ""},
		{"partly outside", "<annotation>" + size + "<object><name>cat</name><bndbox><xmin>-9</xmin><ymin>4</ymin><xmax>10</xmax><ymax>8</ymax></bndbox></object></annotation>", []data.Box{{X0: 0, Y0: 3, X1: 10, Y1: 8, Class: 1}}, "reaches out of the image of 20×16", ""},
		{"difficult", "<annotation>" + size + strings.Replace(cat, "<bndbox>", "<difficult>True</difficult><bndbox>", 1) + "</annotation>", []data.Box{{X0: 2, Y0: 3, X1: 10, Y1: 8, Class: 1, Difficult: true}}, "", ""},
		{"no boxes at all", "<annotation>" + size + "<object><name>cat</name></object></annotation>", nil, "", ""},
		{"no objects", "<annotation>" + size + "</annotation>", []data.Box{}, "", ""},
		{"no box beside one", "<annotation>" + size + cat + "<object><name>cat</name></object></annotation>", nil, "", `object 2 ("cat") has no bndbox`},
		{"no name", "<annotation>" + size + cat + "<object>" + boxed + "</object></annotation>", nil, "", "object 2 has no name"},
		{"empty name", "<annotation>" + size + "<object><name> </name>" + boxed + "</object></annotation>", nil, "", "object 1 has no name"},
		{"part of a box", "<annotation>" + size + "<object><name>cat</name><bndbox><xmin>3</xmin><ymin>4</ymin><xmax>10</xmax></bndbox></object></annotation>", nil, "", `object 1 ("cat"): bndbox lacks ymax`},
		{"not a number", "<annotation>" + size + strings.Replace(cat, ">3<", ">NaN<", 1) + "</annotation>", nil, "", `box coordinate "NaN" is not a pixel`},
		{"outside", "<annotation>" + size + strings.NewReplacer(">3<", ">33<", ">10<", ">40<").Replace(cat) + "</annotation>", nil, "", `object 1 ("cat"): its box (32,3)-(40,8) covers no pixel of the image of 20×16`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := ParseVOCXML(strings.NewReader(tc.text), animals)
			if tc.err != "" {
				checkErr(t, err, tc.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.boxes, a.Boxes); diff != "" {
				t.Errorf("boxes differ (-want +got):\n%s", diff)
			}
			if strings.Join(a.Notes, "; ") != tc.note && (tc.note == "" || !strings.Contains(strings.Join(a.Notes, "; "), tc.note)) {
				t.Errorf("notes %q, want %q", a.Notes, tc.note)
			}
			if tc.boxes == nil && (len(a.Boxless) != 1 || len(a.Tags) != 1) {
				t.Errorf("%q are said to have no box, tags %v", a.Boxless, a.Tags)
			}
		})
	}
}
