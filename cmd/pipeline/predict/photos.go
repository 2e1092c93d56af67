package predict

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/data/names"
	"wsss/data/words"
)

// Photo is a picture to label: its file, and the id that its outputs get.
type Photo struct{ Path, ID string }

// List expands arguments to photos, in order: files, folders to the bottom,
// globs, and - for the list of paths that stdin holds. Ids are the paths below
// the folder that was named, without extension. Pictures of other types in
// folders are left out, and warn is told.
func List(args []string, stdin io.Reader, warn func(line string)) ([]Photo, error) {
	var list []Photo
	seen := map[string]string{}
	var unread []string
	add := func(path, id string) error {
		id = strings.TrimSuffix(filepath.ToSlash(id), filepath.Ext(id))
		if other, dup := seen[id]; dup {
			return pipeline.Usagef("predict: %s and %s would both be written as %s: rename one, or label them into two folders", other, path, id)
		}
		seen[id] = path
		list = append(list, Photo{path, id})
		return nil
	}
	for _, arg := range args {
		if err := expand(arg, stdin, add, func(path string) { unread = append(unread, path) }); err != nil {
			return nil, err
		}
	}
	if len(unread) > 0 {
		warn(fmt.Sprintf("left out, as only %s are read: %s such as %s", names.Formats, words.Plural(len(unread), "picture"), unread[0]))
	}
	if len(list) == 0 {
		return nil, pipeline.Usagef("predict: no image in %s: looked for %s", strings.Join(args, " "), strings.Join(names.Extensions, ", "))
	}
	return list, nil
}

// PhotosOf are those of ids that have a file.
func PhotosOf(ids []string, path func(id string) string) (list []Photo) {
	for _, id := range ids {
		if file := path(id); file != "" {
			list = append(list, Photo{Path: file, ID: id})
		}
	}
	return list
}

// KeepPhotos refuses a folder where a label map or an overlay would replace a
// photo, or would lie beside the photo that it is of under the same name, where
// it would be taken for a photo.
func KeepPhotos(photos []Photo, out string, formats []string) error {
	written, place := picturesOf(formats), placer()
	at := make(map[string]string, len(photos)) // where a photo lies → as it was named
	for _, in := range photos {
		at[place(in.Path)] = in.Path
	}
	for _, in := range photos {
		for _, name := range written {
			label := filepath.Join(out, name(in.ID))
			if files.Same(in.Path, label) {
				return pipeline.Usagef("-out %s: the labels of %s would replace it: choose another folder", out, in.Path)
			}
			where := place(label)
			if other, ok := at[where]; ok {
				return pipeline.Usagef("-out %s: the labels of %s would replace %s: choose another folder", out, in.Path, other)
			}
			if photo := place(in.Path); where != photo && names.TrimExtension(where) == names.TrimExtension(photo) {
				return pipeline.Usagef("-out %s: the labels of %s would lie beside it as %s, and be taken for a photo: choose another folder", out, in.Path, filepath.Base(label))
			}
		}
	}
	return nil
}

// placer makes paths comparable: links to folders are followed, those to files
// are not, as it is they that would be replaced. What does not exist stays as it
// is.
func placer() func(path string) string {
	folders := map[string]string{}
	return func(path string) string {
		dir := filepath.Dir(path)
		real, ok := folders[dir]
		if !ok {
			real = dir
			if followed, err := files.EvalSymlinks(dir); err == nil {
				real = followed
			}
			if abs, err := files.Abs(real); err == nil {
				real = abs
			}
			folders[dir] = real
		}
		return filepath.Join(real, filepath.Base(path))
	}
}

// picturesOf name the files below the folder that the formats make of an image,
// those that are one picture each.
func picturesOf(formats []string) []func(id string) string {
	var names []func(id string) string
	for _, format := range formats {
		switch strings.TrimSpace(format) {
		case "png":
			names = append(names, func(id string) string { return id + ".png" })
		case "overlay":
			names = append(names, func(id string) string { return filepath.Join("overlay", id+".jpg") })
		}
	}
	return names
}

// expand calls add for every image that one argument stands for, and unread for
// pictures of other types in folders.
func expand(arg string, stdin io.Reader, add func(path, id string) error, unread func(path string)) error {
	if arg == "-" {
		lines := bufio.NewScanner(stdin)
		for lines.Scan() {
			if line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff")); line != "" {
				if err := add(line, filepath.Base(line)); err != nil {
					return err
				}
			}
		}
		return lines.Err()
	}
	info, err := files.Stat(arg)
	if err != nil {
		matches, globErr := filepath.Glob(arg)
		if globErr == nil && len(matches) == 0 && errors.Is(err, fs.ErrNotExist) {
			return pipeline.Usagef("predict: there is no file or folder %s", arg)
		}
		if globErr != nil || len(matches) == 0 {
			return err
		}
		slices.Sort(matches)
		for _, m := range matches {
			if !names.IsImage(m) {
				continue
			}
			if err := add(m, filepath.Base(m)); err != nil {
				return err
			}
		}
		return nil
	}
	if !info.IsDir() {
		return add(arg, filepath.Base(arg))
	}
	real, err := files.EvalSymlinks(arg) // a walk does not follow a link that it begins at
	if err != nil {
		return err
	}
	return files.WalkDir(real, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != real && names.IsOutput(path) {
			return fs.SkipDir
		}
		if err == nil && names.IsUnread(path) {
			unread(path)
		}
		if err != nil || !d.Type().IsRegular() && d.Type() != fs.ModeSymlink || !names.IsImage(path) {
			return err
		}
		rel, err := filepath.Rel(real, path)
		if err != nil {
			return err
		}
		return add(filepath.Join(arg, rel), rel)
	})
}
