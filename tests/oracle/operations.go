package main

import (
	"bytes"
	"io"
	"net/url"
	"os"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/mod/zip"
)

// operations by name. Each is a function of x/mod or of the standard
// library, so that what it answers needs no trust in this program.
var operations = map[string]func(request) answer{
	"checkpath":       func(q request) answer { return verdict(module.CheckPath(q.A)) },
	"check":           func(q request) answer { return verdict(module.Check(q.A, q.B)) },
	"checkfilepath":   func(q request) answer { return verdict(module.CheckFilePath(q.A)) },
	"escapepath":      func(q request) answer { return text(module.EscapePath(q.A)) },
	"unescapepath":    func(q request) answer { return text(module.UnescapePath(q.A)) },
	"escapeversion":   func(q request) answer { return text(module.EscapeVersion(q.A)) },
	"unescapeversion": func(q request) answer { return text(module.UnescapeVersion(q.A)) },
	"canonical":       func(q request) answer { return answer{OK: true, Out: module.CanonicalVersion(q.A)} },
	"major":           func(q request) answer { return answer{OK: true, Out: semver.Major(q.A)} },
	"prerelease":      func(q request) answer { return answer{OK: true, Out: semver.Prerelease(q.A)} },
	"compare":         func(q request) answer { return answer{OK: true, N: semver.Compare(q.A, q.B)} },
	"ispseudo":        func(q request) answer { return answer{OK: module.IsPseudoVersion(q.A)} },
	"pseudotime":      pseudoTime,
	"pattern":         pattern,
	"matchprefix":     func(q request) answer { return answer{OK: module.MatchPrefixPatterns(q.A, q.B)} },
	"pathescape":      pathEscape,
	"tilepath":        tilePath,
	"gomodhash":       goModHash,
	"gomodpath":       goModPath,
	"checkzip":        checkZip,
	"isletter":        isLetter,
	"fold":            foldRune,
	"jwt":             signJWT,
}

func verdict(err error) answer {
	if err != nil {
		return answer{Err: err.Error()}
	}
	return answer{OK: true}
}

func text(out string, err error) answer {
	if err != nil {
		return verdict(err)
	}
	return answer{OK: true, Out: out}
}

func pseudoTime(q request) answer {
	t, err := module.PseudoVersionTime(q.A)
	return text(t.Format("2006-01-02T15:04:05Z"), err)
}

// pattern tells whether A is a well-formed glob.
func pattern(q request) answer {
	_, err := path.Match(q.A, "")
	return verdict(err)
}

// pathEscape is the go command's own (cmd/go/internal/modfetch/proxy.go).
func pathEscape(q request) answer {
	return answer{OK: true, Out: strings.ReplaceAll(url.PathEscape(q.A), "%2F", "/")}
}

func tilePath(q request) answer {
	t, err := tlog.ParseTilePath(q.A)
	if err != nil {
		return verdict(err)
	}
	return answer{OK: true, Out: t.Path()}
}

func goModHash(q request) answer {
	return text(dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(q.Bytes)), nil
	}))
}

// goModPath answers the path that a go.mod declares, as the go command reads
// the go.mod of a dependency.
func goModPath(q request) answer {
	f, err := modfile.ParseLax("go.mod", q.Bytes, nil)
	if err != nil {
		return verdict(err)
	}
	if f.Module == nil {
		return answer{Err: "no module line"}
	}
	return answer{OK: true, Out: f.Module.Mod.Path}
}

// checkZip is what a module zip must pass before the go command has it in its
// cache and has unpacked it: the file rules, the hash of all contents, and the
// unpacking. A is the path, B the version; Out is the hash.
func checkZip(q request) answer {
	m := module.Version{Path: q.A, Version: q.B}
	if _, err := zip.CheckZip(m, q.File); err != nil {
		return answer{Err: "check: " + err.Error()}
	}
	h1, err := dirhash.HashZip(q.File, dirhash.Hash1)
	if err != nil {
		return answer{Err: "hash: " + err.Error()}
	}
	dir, err := os.MkdirTemp("", "oracle")
	if err != nil {
		return answer{Err: "temp: " + err.Error()}
	}
	defer os.RemoveAll(dir)
	if err := zip.Unzip(dir, m, q.File); err != nil {
		return answer{Err: "unzip: " + err.Error()}
	}
	return answer{OK: true, Out: h1}
}

func isLetter(q request) answer {
	r, _ := utf8.DecodeRuneInString(q.A)
	return answer{OK: unicode.IsLetter(r)}
}

// foldRune is the step of x/mod/zip's strToFold, which is not exported.
func foldRune(q request) answer {
	r, _ := utf8.DecodeRuneInString(q.A)
	return answer{OK: true, Out: string(fold(r))}
}
