"""Reads what wsss wrote with the tools' own readers: readers.py TOOL FOLDER.

FOLDER holds photos/<id>.png, masks/<id>.png (the label maps that were written),
classes.txt and out/, the export. An assertion that fails names what differs.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image

root = Path(sys.argv[2])
out = root / "out"
classes = (root / "classes.txt").read_text().splitlines()
want = {
    p.relative_to(root / "masks").with_suffix("").as_posix(): np.array(Image.open(p))
    for p in sorted((root / "masks").rglob("*.png"))
}


def expect(got, near_edges=0):
    """The label maps are those of masks/, void apart; near_edges pixels from
    another class they may differ."""
    assert sorted(got) == sorted(want), f"images {sorted(got)}, want {sorted(want)}"
    compared = 0
    for name, m in want.items():
        m = np.where(m == 255, 0, m)
        inside = np.ones(m.shape, bool)
        r = near_edges
        padded = np.pad(m, r, mode="edge")
        for dy in range(-r, r + 1):
            for dx in range(-r, r + 1):
                inside &= padded[r + dy : r + dy + m.shape[0], r + dx : r + dx + m.shape[1]] == m
        wrong = int(((got[name] != m) & inside).sum())
        assert wrong == 0, f"{name}: {wrong} of {inside.sum()} pixels differ"
        compared += int((inside & (m > 0)).sum())
    assert compared > 100, f"only {compared} pixels of objects were compared"
    print(f"{len(want)} images, {compared} pixels of objects, 0 differ")


def coco_labels(path):
    from pycocotools.coco import COCO

    coco = COCO(str(path))
    got = {}
    for i in coco.getImgIds():
        image = coco.loadImgs(i)[0]
        m = np.zeros((image["height"], image["width"]), np.uint8)
        for a in coco.loadAnns(coco.getAnnIds(imgIds=i)):
            part = coco.annToMask(a) > 0
            assert a["area"] == part.sum(), f"{image['file_name']}: area {a['area']}, want {part.sum()}"
            m[part] = classes.index(coco.loadCats(a["category_id"])[0]["name"])
        got[os.path.splitext(image["file_name"])[0]] = m
    return got


def pycocotools():
    expect(coco_labels(out / "coco.json"))


def labelme():
    from labelme import utils
    from labelme._label_file import LabelFile

    got = {}
    for path in sorted((out / "labelme").rglob("*.json")):
        f = LabelFile(str(path))  # opens the photo by imagePath, and compares the sizes
        shape = utils.img_data_to_arr(f.image_data).shape
        name = path.relative_to(out / "labelme").with_suffix("").as_posix()
        got[name], _ = utils.shapes_to_label(shape, f.shapes, {c: i for i, c in enumerate(classes)})
    # labelme draws a polygon's line too, one pixel wide: later objects reach a
    # pixel into earlier ones.
    expect(got, near_edges=1)


def ultralytics():
    import cv2
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    yaml = out / "yolo" / "data.yaml"
    data = check_det_dataset(str(yaml), autodownload=False)
    assert list(data["names"].values()) == classes[1:], data["names"]
    got = {}
    for split in ("train", "val"):
        assert os.path.isdir(data[split]), data[split]
        dataset = YOLODataset(img_path=data[split], imgsz=64, data=data, task="segment", augment=False)
        for one in dataset.labels:
            h, w = one["shape"]
            m = np.zeros((h, w), np.uint8)
            assert len(one["segments"]) == len(one["cls"]), f"{one['im_file']}: outlines were dropped"
            for c, line in zip(one["cls"][:, 0], one["segments"]):
                # a pixel's centre lies at half numbers here, at whole ones in cv2
                cv2.fillPoly(m, [np.round((line * [w, h] - 0.5) * 16).astype(np.int32)], int(c) + 1, shift=4)
            name = Path(one["im_file"]).relative_to(data[split]).with_suffix("").as_posix()
            assert name not in got, f"{name} is in train and in val"
            got[name] = m
        assert dataset[0]["img"].shape[0] == 3
    expect(got, near_edges=1)


def boxes():
    """Boxes of YOLO, as yolo train would take them, no line refused, and as
    datumaro does, which reads no outlines there."""
    import datumaro as dm
    from ultralytics.data.utils import verify_image_label

    whole = json.loads((root / "boxes.json").read_text())
    seen = 0
    for path in sorted((out / "yolo" / "images").rglob("*.png")):
        label = str(path).replace("/images/", "/labels/")[:-4] + ".txt"
        _, rows, shape, _, _, _, found, _, corrupt, message = verify_image_label(
            (str(path), label, "", False, len(classes) - 1, 0, 0, False)
        )
        assert not corrupt and not message, message
        name = path.stem
        got = []
        for c, x, y, w, h in rows.astype(float):
            x, w, y, h = x * shape[1], w * shape[1], y * shape[0], h * shape[0]
            got.append([int(c) + 1, x - w / 2, y - h / 2, x + w / 2, y + h / 2])
        np.testing.assert_allclose(got, whole[name], atol=1e-3)
        seen += found
    assert seen == len(whole), f"{seen} of {len(whole)} labels are found"
    dataset = dm.Dataset.import_from(str(out / "yolo"), "yolo")
    assert sorted(item.id for item in dataset) == sorted(whole), [item.id for item in dataset]
    for item in dataset:
        got = [[a.label + 1, a.x, a.y, a.x + a.w, a.y + a.h] for a in item.annotations]
        np.testing.assert_allclose(got, whole[item.id], atol=0.01)
    print(f"{seen} photos with boxes")


def datumaro():
    import shutil

    import datumaro as dm
    from datumaro.util.mask_tools import rles_to_mask

    def pixels(a, w, h):
        if a.type == dm.AnnotationType.polygon:
            return rles_to_mask([a.points], w, h) > 0
        return np.asarray(a.image) > 0

    def labels(dataset):
        names = [c.name for c in dataset.categories()[dm.AnnotationType.label]]
        got = {}
        for item in dataset:
            m = want[item.id]
            got[item.id] = np.zeros_like(m)
            shapes = [a for a in item.annotations if a.type != dm.AnnotationType.bbox]  # COCO's, beside each mask
            for a in sorted(shapes, key=lambda a: a.z_order):
                got[item.id][pixels(a, m.shape[1], m.shape[0])] = classes.index(names[a.label])
        return got

    os.makedirs(root / "coco" / "annotations")
    shutil.copy(out / "coco.json", root / "coco" / "annotations" / "instances_default.json")
    shutil.copytree(root / "photos", root / "coco" / "images" / "default")
    expect(labels(dm.Dataset.import_from(str(root / "coco"), "coco_instances")))

    os.makedirs(root / "cvat")
    shutil.copy(out / "cvat.xml", root / "cvat" / "default.xml")
    shutil.copytree(root / "photos", root / "cvat" / "images")
    expect(labels(dm.Dataset.import_from(str(root / "cvat"), "cvat")))


def labelstudio():
    from urllib.parse import unquote_plus

    from label_studio_sdk.converter import Converter
    from label_studio_sdk.converter.brush import mask2rle
    from pycocotools import mask as coco_mask

    config = '<View><Image name="image" value="$image"/><PolygonLabels name="label" toName="image">%s</PolygonLabels></View>'
    config %= "".join('<Label value="%s"/>' % c.replace("&", "&amp;").replace('"', "&quot;") for c in classes)
    tasks = json.loads((out / "labelstudio.json").read_text())
    for i, t in enumerate(tasks):  # what Label Studio adds when it imports
        t["id"] = i + 1
        for a in t["annotations"]:
            a["id"], a["completed_by"] = i + 1, 1
    (root / "exported.json").write_text(json.dumps(tasks))
    Converter(config, str(root), download_resources=False).convert_to_coco(
        str(root / "exported.json"), str(root / "studio"), is_dir=False
    )
    got = {}
    coco = json.loads((root / "studio" / "result.json").read_text())
    names = {c["id"]: c["name"] for c in coco["categories"]}
    for image in coco["images"]:
        name = os.path.splitext(unquote_plus(image["file_name"].split("?d=")[-1]))[0]
        m = np.zeros_like(want[name])  # the converter knows no size of a photo without a region
        for a in coco["annotations"]:
            if a["image_id"] == image["id"]:
                parts = coco_mask.frPyObjects(a["segmentation"], image["height"], image["width"])
                m[coco_mask.decode(coco_mask.merge(parts)) > 0] = classes.index(names[a["category_id"]])
        got[name] = m
    expect(got)

    # And brushes as it packs them, for wsss to read.
    tasks = []
    for name, m in want.items():
        results = [
            {
                "id": f"b{c}", "type": "brushlabels", "from_name": "label", "to_name": "image",
                "original_width": m.shape[1], "original_height": m.shape[0],
                "value": {"format": "rle", "rle": mask2rle((m == c).astype(np.uint8) * 255), "brushlabels": [classes[c]]},
            }
            for c in range(1, len(classes))
            if (m == c).any()
        ]
        tasks.append({"id": len(tasks) + 1, "data": {"image": name + ".png"}, "annotations": [{"result": results}]})
    os.makedirs(root / "brushes")
    (root / "brushes" / "project.json").write_text(json.dumps(tasks))


globals()[sys.argv[1]]()
