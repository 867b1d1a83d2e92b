package main

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

const (
	demoMaxFiles = 20_000  // so that a big tree does not delay the demo
	demoMaxFile  = 8 << 20 // bytes; larger files would show the disk, not the mesh
)

// demoFiles are the keys of the demo.
type demoFiles struct {
	keys    []string // slash paths, the most popular first
	bytes   int64
	skipped int // too large
}

// findFiles lists the regular files under dir, without version control's. Which
// are popular is chosen by chance, but the same in every run.
func findFiles(dir string) (demoFiles, error) {
	var found demoFiles
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return found, usagef("--dir %s: it is not a directory that can be read", dir)
	}
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // what cannot be listed is not part of the demo
		case entry.IsDir() && entry.Name() == ".git":
			return filepath.SkipDir
		case !entry.Type().IsRegular():
			return nil
		case len(found.keys) == demoMaxFiles:
			return filepath.SkipAll
		}
		info, err := entry.Info()
		if err != nil || !readable(root, path) {
			return nil
		}
		if info.Size() > demoMaxFile {
			found.skipped++
			return nil
		}
		found.keys = append(found.keys, path)
		found.bytes += info.Size()
		return nil
	})
	if err != nil {
		return found, err
	}
	if len(found.keys) == 0 {
		return found, usagef("--dir %s: it has no files of up to 8 MiB to read", dir)
	}
	r := rand.New(rand.NewPCG(1, 2))
	r.Shuffle(len(found.keys), func(i, j int) {
		found.keys[i], found.keys[j] = found.keys[j], found.keys[i]
	})
	return found, nil
}

func readable(root fs.FS, path string) bool {
	f, err := root.Open(path)
	if err != nil {
		return false
	}
	f.Close()
	return true
}
