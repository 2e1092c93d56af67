"""Makes cmyk.jpg: a 32x16 CMYK JPEG (Adobe, inverted), left half red, right half blue-ish.

Run in this folder with Pillow installed.
"""
from PIL import Image

img = Image.new("CMYK", (32, 16), (0, 255, 255, 0))
img.paste((255, 128, 0, 51), (16, 0, 32, 16))
img.save("cmyk.jpg", quality=95)
