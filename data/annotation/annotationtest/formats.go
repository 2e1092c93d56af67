package annotationtest

import (
	"fmt"
	"path"
	"strings"
)

var (
	plain    = map[string]string{"train": "train", "val": "val"}
	roboflow = map[string]string{"train": "train", "val": "valid"}
)

// Layouts are the layouts, each as its tool's export unpacks.
var Layouts = []Layout{
	{Name: "csv", Format: "csv", Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inFolder("images"))
		var b strings.Builder
		b.WriteString("image,class,x0,y0,x1,y1\n")
		for _, p := range photos {
			if len(p.Objects) == 0 {
				fmt.Fprintf(&b, "%s,,,,,\n", p.Name)
			}
			for _, o := range p.Objects {
				fmt.Fprintf(&b, "%s.png,%s,%d,%d,%d,%d\n", p.Name, o.Class, o.X0, o.Y0, o.X1, o.Y1)
			}
		}
		w.Text("labels.csv", b.String())
	}},
	{Name: "json", Format: "json", Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inFolder("images"))
		all := map[string]any{}
		for _, p := range photos {
			boxes := []object{}
			for _, o := range p.Objects {
				boxes = append(boxes, object{"class": o.Class, "x0": o.X0, "y0": o.Y0, "x1": o.X1, "y1": o.Y1})
			}
			all[p.Name] = object{"boxes": boxes}
		}
		w.JSON("labels.json", all)
	}},
	{Name: "yolo-ultralytics", Format: "yolo", Split: true, Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inSplits("images", "", plain))
		w.yolo(photos, inSplits("labels", "", plain), false)
		w.Text("data.yaml", "path: ../datasets/mine  # dataset root dir\ntrain: images/train\nval: images/val\ntest:\n\n# Classes\nnames:\n  0: bolt\n  1: nut\n")
	}},
	{Name: "yolo-roboflow", Format: "yolo", Split: true, Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inSplits("", "images", roboflow))
		w.yolo(photos, inSplits("", "labels", roboflow), false)
		w.Text("data.yaml", "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 2\nnames: ['bolt', 'nut']\n\nroboflow:\n  workspace: w\n  version: 1\n")
		w.Text("README.roboflow.txt", "\nmine - v1\n==========\n\nThis dataset was exported via roboflow.com\n")
	}},
	{Name: "yolo-polygons", Format: "yolo", Outlines: true, Split: true, Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inSplits("images", "", plain))
		w.yolo(photos, inSplits("labels", "", plain), true)
		w.Text("dataset.yaml", "path: .\ntrain: images/train\nval: images/val\nnames: {0: bolt, 1: nut}\n")
	}},
	{Name: "yolo-labelimg", Format: "yolo", Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inFolder(""))
		w.yolo(photos, inFolder(""), false)
		w.Text("classes.txt", "bolt\r\nnut\r\n")
	}},
	{Name: "yolo-darknet", Format: "yolo", Split: true, Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inFolder("obj_train_data"))
		w.yolo(photos, inFolder("obj_train_data"), false)
		w.Text("obj.data", "classes = 2\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = data/obj.names\nbackup = backup/\n")
		w.Text("obj.names", "bolt\nnut\n")
		for split, name := range roboflow {
			var lines strings.Builder
			for _, p := range photos {
				if p.Split == split {
					fmt.Fprintf(&lines, "data/obj_train_data/%s.png\n", p.Name)
				}
			}
			w.Text(name+".txt", lines.String())
		}
	}},
	{Name: "coco-cvat", Format: "coco", Outlines: true, Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inFolder("images"))
		w.COCO("annotations/instances_default.json", photos, func(p Photo) string { return p.Name + ".png" }, 1, true)
	}},
	{Name: "coco-boxes", Format: "coco", Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inFolder("images"))
		w.COCO("labels.json", photos, func(p Photo) string { return "images/" + p.Name + ".png" }, 1, false)
	}},
	{Name: "coco-roboflow", Format: "coco", Split: true, Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inSplits("", "", roboflow))
		for split, name := range roboflow {
			var part []Photo
			for _, p := range photos {
				if p.Split == split {
					part = append(part, p)
				}
			}
			w.COCO(path.Join(name, "_annotations.coco.json"), part, func(p Photo) string { return p.Name + ".png" }, 1, false)
		}
	}},
	{Name: "voc-xml", Format: "voc", Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inFolder("JPEGImages"))
		w.voc(photos, func(p Photo) string { return "Annotations/" + p.Name + ".xml" })
	}},
	{Name: "voc-roboflow", Format: "voc", Split: true, Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inSplits("", "", roboflow))
		w.voc(photos, func(p Photo) string { return path.Join(roboflow[p.Split], p.Name+".xml") })
	}},
	{Name: "labelme-rectangles", Format: "labelme", Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inFolder(""))
		w.labelme(photos, "", `..\photos\`, false)
	}},
	{Name: "labelme-polygons", Format: "labelme", Outlines: true, Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inFolder("images"))
		w.labelme(photos, "json", "../images/", true)
	}},
	{Name: "labelstudio-boxes", Format: "labelstudio", Write: func(w *Writer, photos []Photo) {
		w.photos(photos, func(p Photo) string { return "images/1a2b3c4d-" + p.Name + ".png" })
		w.studio(photos, "/data/upload/1/1a2b3c4d-", false)
	}},
	{Name: "labelstudio-polygons", Format: "labelstudio", Outlines: true, Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inFolder(""))
		w.studio(photos, "/data/local-files/?d=my%20photos/", true)
	}},
	{Name: "cvat-boxes", Format: "cvat", Split: true, Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inSplits("images", "", plain))
		w.cvat(photos, false)
	}},
	{Name: "cvat-polygons", Format: "cvat", Outlines: true, Split: true, Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inSplits("images", "", plain))
		w.cvat(photos, true)
	}},
	{Name: "via-project", Format: "via", Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inFolder(""))
		images := object{}
		for _, p := range photos {
			images[p.Name+".png1234"] = object{"filename": p.Name + ".png", "size": 1234, "file_attributes": object{}, "regions": p.via(false)}
		}
		w.JSON("via_project.json", object{"_via_settings": object{"ui": object{}}, "_via_img_metadata": images, "_via_attributes": object{}})
	}},
	{Name: "via-polygons", Format: "via", Outlines: true, Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inFolder("images"))
		images := object{}
		for _, p := range photos {
			numbered := object{}
			for i, r := range p.via(true) {
				numbered[fmt.Sprint(i)] = r
			}
			images[p.Name+".png1234"] = object{"fileref": "", "size": 1234, "filename": p.Name + ".png", "base64_img_data": "", "file_attributes": object{}, "regions": numbered}
		}
		w.JSON("via_region_data.json", images)
	}},
	{Name: "via-csv", Format: "via", Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inFolder("images"))
		var b strings.Builder
		b.WriteString("filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n")
		for _, p := range photos {
			if len(p.Objects) == 0 {
				fmt.Fprintf(&b, "%s.png,1234,\"{}\",0,0,\"{}\",\"{}\"\n", p.Name)
			}
			for i, o := range p.Objects {
				fmt.Fprintf(&b, "%s.png,1234,\"{}\",%d,%d,\"{\"\"name\"\":\"\"rect\"\",\"\"x\"\":%d,\"\"y\"\":%d,\"\"width\"\":%d,\"\"height\"\":%d}\",\"{\"\"class\"\":\"\"%s\"\"}\"\n",
					p.Name, len(p.Objects), i, o.X0, o.Y0, o.X1-o.X0, o.Y1-o.Y0, o.Class)
			}
		}
		w.Text("via_export_csv.csv", b.String())
	}},
	{Name: "supervisely", Format: "supervisely", Write: func(w *Writer, photos []Photo) {
		w.photos(photos, inFolder("ds0/img"))
		w.JSON("meta.json", object{"classes": []object{{"title": "bolt", "shape": "rectangle", "color": "#FF0000"}, {"title": "nut", "shape": "rectangle", "color": "#00FF00"}}, "tags": []object{}})
		for _, p := range photos {
			objects := []object{}
			for i, o := range p.Objects {
				objects = append(objects, object{"id": i, "classTitle": o.Class, "geometryType": "rectangle", "tags": []object{}, "points": object{
					"exterior": [][]int{{o.X0, o.Y0}, {o.X1 - 1, o.Y1 - 1}}, "interior": [][]int{},
				}})
			}
			w.JSON("ds0/ann/"+p.Name+".png.json", object{"description": "", "tags": []object{}, "size": object{"height": Height, "width": Width}, "objects": objects})
		}
	}},
}

// Masks is a folder of mask PNGs, which no annotation format reads.
var Masks = Layout{Name: "masks", Outlines: true, Write: func(w *Writer, photos []Photo) {
	w.photos(photos, inFolder("images"))
	for _, p := range photos {
		w.Mask("masks/"+p.Name+".png", p)
	}
	w.Text("classes.txt", "background\n"+strings.Join(Classes, "\n")+"\n")
}}

// yolo writes label files where at places the photos.
func (w *Writer) yolo(photos []Photo, at func(Photo) string, polygons bool) {
	for _, p := range photos {
		var lines strings.Builder
		for _, o := range p.Objects {
			v := []float64{float64(o.X0+o.X1) / 2, float64(o.Y0+o.Y1) / 2, float64(o.X1 - o.X0), float64(o.Y1 - o.Y0)}
			if polygons {
				v = o.ring()
			}
			fmt.Fprintf(&lines, "%d", number(o.Class))
			for i, f := range v {
				side := float64(Width)
				if i%2 == 1 {
					side = Height
				}
				fmt.Fprintf(&lines, " %.6f", f/side)
			}
			lines.WriteString("\n")
		}
		w.Text(strings.TrimSuffix(at(p), ".png")+".txt", lines.String())
	}
}

type object = map[string]any

// via are the regions of a photo as VIA has them.
func (p Photo) via(polygons bool) []object {
	regions := []object{}
	for _, o := range p.Objects {
		shape := object{"name": "rect", "x": o.X0, "y": o.Y0, "width": o.X1 - o.X0, "height": o.Y1 - o.Y0}
		if polygons {
			shape = object{"name": "polygon", "all_points_x": []int{o.X0, o.X1, o.X1, o.X0}, "all_points_y": []int{o.Y0, o.Y0, o.Y1, o.Y1}}
		}
		regions = append(regions, object{"shape_attributes": shape, "region_attributes": object{"class": o.Class, "remark": "b"}})
	}
	return regions
}

// COCO writes an instances file whose categories count from first.
func (w *Writer) COCO(file string, photos []Photo, name func(Photo) string, first int, outlines bool) {
	images, annotations, categories := []object{}, []object{}, []object{}
	for i, c := range Classes {
		categories = append(categories, object{"id": first + i, "name": c, "supercategory": ""})
	}
	for i, p := range photos {
		images = append(images, object{"id": i + 1, "file_name": name(p), "width": Width, "height": Height, "license": 0, "coco_url": "", "date_captured": 0})
		for _, o := range p.Objects {
			segmentation := [][]float64{}
			if outlines {
				segmentation = append(segmentation, o.ring())
			}
			annotations = append(annotations, object{
				"id": len(annotations) + 1, "image_id": i + 1, "category_id": first + number(o.Class), "iscrowd": 0,
				"bbox": []int{o.X0, o.Y0, o.X1 - o.X0, o.Y1 - o.Y0}, "area": (o.X1 - o.X0) * (o.Y1 - o.Y0), "segmentation": segmentation,
			})
		}
	}
	w.JSON(file, object{
		"licenses": []object{{"name": "", "id": 0, "url": ""}}, "info": object{"contributor": "", "year": ""},
		"categories": categories, "images": images, "annotations": annotations,
	})
}

func (w *Writer) voc(photos []Photo, at func(Photo) string) {
	for _, p := range photos {
		var b strings.Builder
		fmt.Fprintf(&b, "<annotation>\n\t<folder>mine</folder>\n\t<filename>%s.png</filename>\n\t<size>\n\t\t<width>%d</width>\n\t\t<height>%d</height>\n\t\t<depth>3</depth>\n\t</size>\n\t<segmented>0</segmented>\n", p.Name, Width, Height)
		for _, o := range p.Objects {
			fmt.Fprintf(&b, "\t<object>\n\t\t<name>%s</name>\n\t\t<pose>Unspecified</pose>\n\t\t<difficult>0</difficult>\n\t\t<bndbox><xmin>%d</xmin><ymin>%d</ymin><xmax>%d</xmax><ymax>%d</ymax></bndbox>\n\t</object>\n",
				o.Class, o.X0+1, o.Y0+1, o.X1, o.Y1)
		}
		b.WriteString("</annotation>\n")
		w.Text(at(p), b.String())
	}
}

// labelme writes one file for each photo into dir; imagePath begins with
// before.
func (w *Writer) labelme(photos []Photo, dir, before string, polygons bool) {
	for _, p := range photos {
		shapes := []object{}
		for _, o := range p.Objects {
			shape := object{"label": o.Class, "group_id": nil, "description": "", "shape_type": "rectangle", "flags": object{}}
			shape["points"] = [][]int{{o.X1, o.Y1}, {o.X0, o.Y0}} // drawn from below
			if polygons {
				shape["shape_type"] = "polygon"
				shape["points"] = [][]int{{o.X0, o.Y0}, {o.X1, o.Y0}, {o.X1, o.Y1}, {o.X0, o.Y1}}
			}
			shapes = append(shapes, shape)
		}
		w.JSON(path.Join(dir, p.Name+".json"), object{
			"version": "5.4.1", "flags": object{}, "shapes": shapes, "imagePath": before + p.Name + ".png",
			"imageData": strings.Repeat("QUJD", 100), "imageHeight": Height, "imageWidth": Width,
		})
	}
}

func (w *Writer) cvat(photos []Photo, polygons bool) {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n    <project>\n      <labels>\n")
	for _, c := range Classes {
		fmt.Fprintf(&b, "        <label>\n          <name>%s</name>\n          <color>#ff0000</color>\n          <type>any</type>\n          <attributes>\n          </attributes>\n        </label>\n", c)
	}
	b.WriteString("      </labels>\n      <subsets>\nTrain\nValidation\n      </subsets>\n    </project>\n  </meta>\n")
	for i, p := range photos {
		subset := map[string]string{"train": "Train", "val": "Validation"}[p.Split]
		fmt.Fprintf(&b, "  <image id=\"%d\" name=\"%s.png\" subset=\"%s\" task_id=\"7\" width=\"%d\" height=\"%d\">\n", i, p.Name, subset, Width, Height)
		for _, o := range p.Objects {
			if polygons {
				fmt.Fprintf(&b, "    <polygon label=\"%s\" source=\"manual\" occluded=\"0\" points=\"%d.00,%d.00;%d.00,%d.00;%d.00,%d.00;%d.00,%d.00\" z_order=\"0\">\n    </polygon>\n",
					o.Class, o.X0, o.Y0, o.X1, o.Y0, o.X1, o.Y1, o.X0, o.Y1)
			} else {
				fmt.Fprintf(&b, "    <box label=\"%s\" source=\"manual\" occluded=\"0\" xtl=\"%d.00\" ytl=\"%d.00\" xbr=\"%d.00\" ybr=\"%d.00\" z_order=\"0\">\n      <attribute name=\"x\">y</attribute>\n    </box>\n",
					o.Class, o.X0, o.Y0, o.X1, o.Y1)
			}
		}
		b.WriteString("  </image>\n")
	}
	b.WriteString("</annotations>\n")
	w.Text("annotations.xml", b.String())
}

// studio writes Label Studio's JSON; the address of a photo begins with before.
func (w *Writer) studio(photos []Photo, before string, polygons bool) {
	tasks := []object{}
	for i, p := range photos {
		results := []object{}
		for k, o := range p.Objects {
			x, y := func(v int) float64 { return float64(v) * 100 / Width }, func(v int) float64 { return float64(v) * 100 / Height }
			value := object{"x": x(o.X0), "y": y(o.Y0), "width": x(o.X1 - o.X0), "height": y(o.Y1 - o.Y0), "rotation": 0, "rectanglelabels": []string{o.Class}}
			kind := "rectanglelabels"
			if polygons {
				kind = "polygonlabels"
				value = object{"closed": true, "polygonlabels": []string{o.Class}, "points": [][]float64{
					{x(o.X0), y(o.Y0)}, {x(o.X1), y(o.Y0)}, {x(o.X1), y(o.Y1)}, {x(o.X0), y(o.Y1)},
				}}
			}
			results = append(results, object{
				"original_width": Width, "original_height": Height, "image_rotation": 0, "value": value, "type": kind,
				"id": fmt.Sprint("r", k), "from_name": "label", "to_name": "image", "origin": "manual",
			})
		}
		tasks = append(tasks, object{
			"id": i + 1, "file_upload": "1a2b3c4d-" + p.Name + ".png", "data": object{"image": before + p.Name + ".png"}, "meta": object{},
			"annotations": []object{
				{"id": i, "completed_by": 1, "result": []object{}, "was_cancelled": true, "ground_truth": false, "created_at": "2024-03-02T10:00:00Z"},
				{"id": i + 100, "completed_by": 1, "result": results, "was_cancelled": false, "ground_truth": false, "created_at": "2024-03-01T10:00:00Z"},
			},
		})
	}
	w.JSON("project-1-at-2024.json", tasks)
}
