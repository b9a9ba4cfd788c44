package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A tree is a graph as files: DIR/proxy is a GOPROXY tree with its checksum database in DIR/proxy/sumdb/NAME, DIR/module
// the main module with the whole list of its requirements, DIR/sumdb.key the database's verifier key.
type tree struct {
	dir string
	// The verifier key, as in GOSUMDB.
	key string
	extent
}

// An extent is how much there is to be downloaded.
type extent struct {
	Zips     int   `json:"zips"`
	ZipBytes int64 `json:"zip_bytes"`
	Gomods   int   `json:"gomods"`
}

func (t *tree) proxy() string  { return filepath.Join(t.dir, "proxy") }
func (t *tree) module() string { return filepath.Join(t.dir, "module") }

func (t *tree) String() string {
	return fmt.Sprintf("%s: %d zips, %.0f MB, %d go.mod files", t.dir, t.Zips, float64(t.ZipBytes)/1e6, t.Gomods)
}

// openTree reads what makeTree has laid out.
func openTree(dir string) (*tree, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(filepath.Join(dir, "sumdb.key"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is no finished tree; make it with `graph tree`", dir)
	}
	if err != nil {
		return nil, err
	}
	t := &tree{dir: dir, key: strings.TrimSpace(string(key))}
	t.extent, err = extentOf(t.proxy())
	return t, err
}

// makeTree fetches the graph with the real go command, twice: from the network what resolving the requirements takes,
// and out of that what `go mod download` takes then. The key is written last, so a tree that has one is whole.
func makeTree(dir, template, from string) (*tree, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "sumdb.key")); err == nil {
		return openTree(dir)
	}
	t, resolving, exact := &tree{dir: dir}, filepath.Join(dir, "resolving"), filepath.Join(dir, "exact")
	for _, old := range []string{t.proxy(), t.module(), exact} {
		if err := os.RemoveAll(old); err != nil {
			return nil, err
		}
	}
	if err := os.CopyFS(t.module(), os.DirFS(template)); err != nil {
		return nil, err
	}
	resolve := client{home: resolving, module: t.module()}
	if from != "" {
		resolve.set("GOPROXY", from)
	}
	for _, step := range []string{"tidy", "download"} {
		if err := resolve.run("mod", step); err != nil {
			return nil, err
		}
	}
	download := client{home: exact, module: t.module()}
	download.set("GOPROXY", "file://"+filepath.ToSlash(resolve.downloads()))
	download.set("GOSUMDB", "off")
	if err := download.run("mod", "download"); err != nil {
		return nil, err
	}
	if err := os.Rename(download.downloads(), t.proxy()); err != nil {
		return nil, err
	}
	key, err := writeDatabase(t.proxy())
	if err != nil {
		return nil, err
	}
	for _, old := range []string{resolving, exact} {
		if err := os.RemoveAll(old); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "sumdb.key"), []byte(key+"\n"), 0o644); err != nil {
		return nil, err
	}
	return openTree(dir)
}

// extentOf counts the zips and go.mod files of a GOPROXY tree.
func extentOf(root string) (extent, error) {
	var found extent
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		switch filepath.Ext(path) {
		case ".mod":
			found.Gomods++
		case ".zip":
			info, err := entry.Info()
			if err != nil {
				return err
			}
			found.Zips++
			found.ZipBytes += info.Size()
		}
		return nil
	})
	return found, err
}
