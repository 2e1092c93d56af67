// Package photo reads photos of any camera and tool as the field's Python tools
// do: JPEG, PNG, WebP, TIFF and BMP, told by their bytes and not by their name,
// turned upright by EXIF, chroma as libjpeg and libwebp upsample it, without
// alpha (the colour of transparent pixels stays). Every other kind of file gets
// an error that says what it is and what to do. Files are opened only where
// they are regular, and memory is bounded for the whole process.
package photo
