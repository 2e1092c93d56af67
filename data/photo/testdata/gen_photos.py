"""Makes the photos of this folder, and beside each what Pillow's convert("RGB")
makes of it (NAME.png). Run it here with Pillow 11.3.0, numpy and opencv-python-headless 4.11.0.86 installed.
"""
import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image, ImageOps

# A picture with smooth parts, edges and saturated colours.
def picture(w, h):
    y, x = np.mgrid[0:h, 0:w].astype(float)
    rgb = np.stack([128 + 127 * np.sin(x / 5) * np.cos(y / 9), 255 * ((x // 7 + y // 5) % 2), 255 * x / w], -1)
    rgb[h // 3:h // 2, w // 4:w // 2] = [255, 0, 0]
    rgb[h // 2:, 2 * w // 3:] = [10, 20, 240]
    return Image.fromarray(rgb.clip(0, 255).astype(np.uint8))

def keep(name, raw):
    open(name, "wb").write(raw)
    img = Image.open(io.BytesIO(raw))
    deep = {"I;16": 1, "I;16B": 1, "I": 1}
    if img.mode in deep:
        img = Image.fromarray((np.asarray(img).astype(np.uint32) >> 8).astype(np.uint8))
    ImageOps.exif_transpose(img).convert("RGB").save(name + ".png")

def encoded(img, **options):
    out = io.BytesIO()
    img.save(out, **options)
    return out.getvalue()

p = picture(61, 43)
for name, sampling in ("444", 0), ("422", 1), ("420", 2):
    keep(f"{name}.jpg", encoded(p, format="JPEG", quality=90, subsampling=sampling))
keep("420-progressive.jpg", encoded(p, format="JPEG", quality=85, subsampling=2, progressive=True))
keep("420-tiny.jpg", encoded(picture(3, 5), format="JPEG", quality=90, subsampling=2))
keep("422-narrow.jpg", encoded(picture(4, 9), format="JPEG", quality=90, subsampling=1))
keep("420-five.jpg", encoded(picture(5, 1), format="JPEG", quality=90, subsampling=2))
keep("grey.jpg", encoded(p.convert("L"), format="JPEG", quality=90))
keep("cmyk.jpg", encoded(p.convert("CMYK"), format="JPEG", quality=95))

for name, factor in ("440", cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440), ("411", cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411):
    options = [cv2.IMWRITE_JPEG_QUALITY, 90, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
    keep(f"{name}.jpg", cv2.imencode(".jpg", np.asarray(p)[..., ::-1], options)[1].tobytes())

alpha = p.convert("RGBA")
alpha.putalpha(Image.fromarray((np.indices((43, 61)).sum(0) % 4 * 85).astype(np.uint8)))
keep("alpha.png", encoded(alpha, format="PNG"))
keep("grey-alpha.png", encoded(alpha.convert("LA"), format="PNG"))
palette = p.quantize(32)
keep("palette.png", encoded(palette, format="PNG", transparency=bytes(range(0, 256, 8))))
keep("one-bit.png", encoded(p.convert("1"), format="PNG"))
keep("grey16.png", encoded(Image.fromarray(np.asarray(p.convert("L")).astype(np.uint16) * 257 ^ 0x55), format="PNG"))

def png(w, h, depth, colour, rows):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + r for r in rows))) + chunk(b"IEND", b""))

deep = np.asarray(alpha).astype(">u2") * 256 + 77
keep("rgb16.png", png(61, 43, 16, 2, [r[:, :3].astype(">u2").tobytes() for r in deep]))
keep("rgba16.png", png(61, 43, 16, 6, [r.astype(">u2").tobytes() for r in deep]))

keep("lossy.webp", encoded(p, format="WEBP", quality=80))
keep("lossy-alpha.webp", encoded(alpha, format="WEBP", quality=80, exact=True))
keep("lossy-odd.webp", encoded(picture(7, 1), format="WEBP", quality=80))
keep("lossless.webp", encoded(alpha, format="WEBP", lossless=True, exact=True))

for name, img, options in [("rgb", p, {}), ("lzw", p, {"compression": "tiff_lzw"}), ("deflate", p, {"compression": "tiff_adobe_deflate"}),
                           ("alpha", alpha, {}), ("grey", p.convert("L"), {}), ("palette", palette, {}), ("one-bit", p.convert("1"), {}),
                           ("grey16", Image.fromarray(np.asarray(p.convert("L")).astype(np.uint16) * 257 ^ 0x55), {})]:
    keep(f"{name}.tif", encoded(img, format="TIFF", **options))
for name, img in ("rgb", p), ("grey", p.convert("L")), ("palette", palette), ("one-bit", p.convert("1")), ("alpha", alpha):
    keep(f"{name}.bmp", encoded(img, format="BMP"))

# EXIF: how the camera was held, in every container that has it.
small = picture(23, 14)
for o in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = o
    keep(f"turned-{o}.jpg", encoded(small, format="JPEG", quality=92, subsampling=0, exif=exif))
    if o == 6:
        keep("turned-6.png", encoded(small, format="PNG", exif=exif))
        keep("turned-6.webp", encoded(small, format="WEBP", lossless=True, exif=exif))
        keep("turned-6.tif", encoded(small, format="TIFF", tiffinfo={0x0112: o}))
