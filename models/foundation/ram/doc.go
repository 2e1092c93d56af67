// Package ram names what is in an image with the Recognize Anything model and
// maps its 4,585 tags to the classes of a dataset (docs/sources.md §2.3, §5.1).
package ram
