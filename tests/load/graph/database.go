package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// databaseName is a name that no real database has.
const databaseName = "sum.graph.test"

// writeDatabase makes a checksum database of all versions in a GOPROXY tree, under a new key, and writes all its answers
// beside them as files, where a proxy mirrors it. It returns the verifier key.
func writeDatabase(proxy string) (string, error) {
	texts, err := records(proxy)
	if err != nil {
		return "", err
	}
	signer, verifier, err := note.GenerateKey(rand.Reader, databaseName)
	if err != nil {
		return "", err
	}
	server := sumdb.NewTestServer(signer, func(path, version string) ([]byte, error) {
		if text, ok := texts[module.Version{Path: path, Version: version}]; ok {
			return text, nil
		}
		return nil, fs.ErrNotExist
	})
	versions := make([]module.Version, 0, len(texts))
	for version := range texts {
		versions = append(versions, version)
	}
	module.Sort(versions)
	for _, version := range versions {
		// A lookup of what is not in the log yet appends it.
		if _, err := server.Lookup(context.Background(), version); err != nil {
			return "", err
		}
	}
	paths := []string{"/latest"}
	for _, version := range versions {
		path, _ := module.EscapePath(version.Path)
		escaped, _ := module.EscapeVersion(version.Version)
		paths = append(paths, "/lookup/"+path+"@"+escaped)
	}
	paths = append(paths, tilesOf(int64(len(versions)))...)
	root := filepath.Join(proxy, "sumdb", databaseName)
	for _, path := range paths {
		if err := writeAnswer(sumdb.NewServer(server), root, path); err != nil {
			return "", err
		}
	}
	return verifier, os.WriteFile(filepath.Join(root, "supported"), nil, 0o644)
}

// tilesOf names all tiles of a log of so many records, the partial ones at their full extent.
func tilesOf(size int64) []string {
	var paths []string
	for _, tile := range tlog.NewTiles(8, 0, size) {
		paths = append(paths, "/"+tile.Path())
	}
	return paths
}

// writeAnswer keeps what the database answers to a path.
func writeAnswer(server http.Handler, root, path string) error {
	answer := httptest.NewRecorder()
	server.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	if answer.Code != http.StatusOK {
		return fmt.Errorf("the checksum database answers %s with %d: %s", path, answer.Code, answer.Body)
	}
	file := filepath.Join(root, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, answer.Body.Bytes(), 0o644)
}

// records are the texts of all versions of which the tree has the go.mod. The hash of a zip that is not there is made up:
// nobody downloads it.
func records(proxy string) (map[module.Version][]byte, error) {
	texts := map[module.Version][]byte{}
	gomods, err := filesOf(proxy, ".mod")
	if err != nil {
		return nil, err
	}
	for _, gomod := range gomods {
		version, err := versionOf(proxy, gomod)
		if err != nil {
			return nil, err
		}
		open := func(string) (io.ReadCloser, error) { return os.Open(gomod) }
		gomodSum, err := dirhash.Hash1([]string{"go.mod"}, open)
		if err != nil {
			return nil, err
		}
		zip := strings.TrimSuffix(gomod, ".mod") + ".zip"
		zipSum, err := dirhash.HashZip(zip, dirhash.Hash1)
		if os.IsNotExist(err) {
			sum := sha256.Sum256([]byte(zip))
			zipSum, err = "h1:"+base64.StdEncoding.EncodeToString(sum[:]), nil
		}
		if err != nil {
			return nil, err
		}
		texts[version] = fmt.Appendf(nil, "%s %s %s\n%s %s/go.mod %s\n", version.Path, version.Version, zipSum, version.Path, version.Version, gomodSum)
	}
	return texts, nil
}

// versionOf reads a file name of a GOPROXY tree.
func versionOf(proxy, file string) (module.Version, error) {
	name, err := filepath.Rel(proxy, file)
	if err != nil {
		return module.Version{}, err
	}
	path, base, found := strings.Cut(filepath.ToSlash(name), "/@v/")
	if !found {
		return module.Version{}, fmt.Errorf("%s is no file of a GOPROXY tree", file)
	}
	path, err = module.UnescapePath(path)
	if err != nil {
		return module.Version{}, err
	}
	version, err := module.UnescapeVersion(strings.TrimSuffix(base, filepath.Ext(base)))
	return module.Version{Path: path, Version: version}, err
}

// filesOf lists the files of a tree that end so, in order.
func filesOf(root, end string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && filepath.Ext(path) == end {
			files = append(files, path)
		}
		return err
	})
	slices.Sort(files)
	return files, err
}
