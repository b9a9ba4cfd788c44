package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb"
)

// A record is what was appended for a version.
type record struct {
	version module.Version
	text    []byte
}

// A database is a log in memory, served under its own key and under another of the same name.
type database struct {
	keys     [2]string
	servers  [2]*sumdb.TestServer
	honest   http.Handler
	stranger http.Handler
	records  []record
	texts    map[module.Version][]byte
}

func newDatabase(signer, stranger string) *database {
	db := &database{keys: [2]string{signer, stranger}, texts: map[module.Version][]byte{}}
	gosum := func(path, version string) ([]byte, error) {
		if text, ok := db.texts[module.Version{Path: path, Version: version}]; ok {
			return text, nil
		}
		return nil, fs.ErrNotExist
	}
	for i, key := range db.keys {
		db.servers[i] = sumdb.NewTestServer(key, gosum)
	}
	db.honest, db.stranger = sumdb.NewServer(db.servers[0]), sumdb.NewServer(db.servers[1])
	return db
}

func (db *database) add(path, version, zip, gomod string) error {
	text := fmt.Appendf(nil, "%s %s %s\n%s %s/go.mod %s\n", path, version, zip, path, version, gomod)
	return db.append(record{module.Version{Path: path, Version: version}, text})
}

func (db *database) append(r record) error {
	db.records = append(db.records, r)
	db.texts[r.version] = r.text
	for _, server := range db.servers {
		// A lookup of what is not in the log yet appends it.
		if _, err := server.Lookup(context.Background(), r.version); err != nil {
			return err
		}
	}
	return nil
}

func (db *database) rolledBack(size int) (*database, error) {
	return db.rebuilt(min(size, len(db.records)), func(int, *record) {})
}

func (db *database) forked(from int) (*database, error) {
	return db.rebuilt(len(db.records), func(id int, r *record) {
		if id >= from {
			sum := sha256.Sum256(r.text)
			hash := "h1:" + base64.StdEncoding.EncodeToString(sum[:])
			r.text = fmt.Appendf(nil, "%[1]s %[2]s %[3]s\n%[1]s %[2]s/go.mod %[3]s\n", r.version.Path, r.version.Version, hash)
		}
	})
}

func (db *database) rebuilt(size int, change func(int, *record)) (*database, error) {
	again := newDatabase(db.keys[0], db.keys[1])
	for id, r := range db.records[:size] {
		change(id, &r)
		if err := again.append(r); err != nil {
			return nil, err
		}
	}
	return again, nil
}
