package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// floors are the folders of the project and how high they stand. The packages
// below a folder stand on its floor, unless they are named themselves.
var floors = map[string]int{
	"hashing":         0,
	"loader":          0,
	"internal/natsd":  0,
	"internal/roster": 0,
	"internal/store":  0,
	"internal/wire":   0,
	"mesh":            1,
	"mesh/otelmesh":   2,
	"node":            2,
	"testenv":         2,
	"cmd/meshnode":    3,
}

// heavy are the modules that a program which embeds the mesh must not compile.
var heavy = []string{
	"github.com/nats-io/nats-server/",
	"github.com/prometheus/",
	"github.com/spf13/",
	"go.opentelemetry.io/",
}

// light are the folders that compile none of them, whatever they import.
var light = []string{"hashing", "loader", "mesh", "internal/roster", "internal/store", "internal/wire"}

// serverUsers are the folders that alone may import nats-server, in tests too.
var serverUsers = []string{"internal/natsd", "testenv"}

// pkg is a package as go list describes it.
type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func TestAFloorImportsOnlyFloorsBelowIt(t *testing.T) {
	report(t, checkFloors(list(t, "./...")))
}

func TestOnlyTheServersOwnPackagesImportIt(t *testing.T) {
	report(t, checkServerUsers(list(t, "./...")))
}

func TestAProgramThatEmbedsTheMeshCompilesNoServer(t *testing.T) {
	report(t, checkLight(list(t, "-deps", "./...")))
}

func TestAFloorThatIsNotKeptIsNoticed(t *testing.T) {
	one := func(path string, imports ...string) map[string]pkg {
		return map[string]pkg{path: {ImportPath: path, Imports: imports}}
	}
	for name, got := range map[string][]string{
		"up":          checkFloors(one(module+"/mesh", module+"/node")),
		"beside":      checkFloors(one(module+"/node", module+"/testenv/promise")),
		"on floor 0":  checkFloors(one(module+"/internal/wire", module+"/internal/roster")),
		"an origin":   checkFloors(one(module+"/internal/store", module+"/loader/fileorigin")),
		"no floor":    checkFloors(one(module + "/util")),
		"the server":  checkServerUsers(one(module+"/mesh", heavy[0]+"v2/server")),
		"transitive":  checkLight(map[string]pkg{module + "/mesh": {ImportPath: module + "/mesh", Imports: []string{"x"}}, "x": {ImportPath: "x", Imports: []string{heavy[1] + "y"}}}),
		"a light one": checkLight(one(module+"/loader/httporigin", heavy[3]+"otel")),
	} {
		if len(got) != 1 {
			t.Errorf("%s: %d findings, want 1: %q", name, len(got), got)
		}
	}
	for name, got := range map[string][]string{
		"down":         checkFloors(one(module+"/mesh", module+"/hashing", "github.com/nats-io/nats.go")),
		"the contract": checkFloors(one(module+"/internal/store", module+"/loader")),
		"one folder":   checkFloors(one(module+"/loader/fileorigin", module+"/loader")),
		"a test mesh":  checkServerUsers(one(module+"/testenv/promise", heavy[0]+"v2/server")),
	} {
		if len(got) > 0 {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// checkFloors finds imports that do not lead down. Packages of one folder may
// import each other, and all of floor 0 the contract types of loader.
func checkFloors(pkgs map[string]pkg) (found []string) {
	for _, p := range sorted(pkgs) {
		folder, floor, ok := placeOf(p.ImportPath)
		if !ok {
			if isOurs(p.ImportPath) {
				found = append(found, fmt.Sprintf("%s has no floor: give it one in floors", p.ImportPath))
			}
			continue
		}
		for _, imported := range p.Imports {
			other, below, ours := placeOf(imported)
			if !ours || below < floor || other == folder || floor == 0 && imported == module+"/loader" {
				continue
			}
			found = append(found, fmt.Sprintf("%s, on floor %d, imports %s, on floor %d", p.ImportPath, floor, imported, below))
		}
	}
	return found
}

// checkServerUsers finds imports of nats-server where none belongs.
func checkServerUsers(pkgs map[string]pkg) (found []string) {
	for _, p := range sorted(pkgs) {
		if folder, _, _ := placeOf(p.ImportPath); slices.Contains(serverUsers, folder) {
			continue
		}
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if strings.HasPrefix(imported, heavy[0]) {
				found = append(found, fmt.Sprintf("%s imports %s: that is for %s", p.ImportPath, imported, strings.Join(serverUsers, " and ")))
			}
		}
	}
	return found
}

// checkLight finds what makes a light package heavy, and by which way.
func checkLight(pkgs map[string]pkg) (found []string) {
	for _, p := range sorted(pkgs) {
		if folder, _, _ := placeOf(p.ImportPath); slices.Contains(light, folder) {
			if way := wayToHeavy(pkgs, p.ImportPath, map[string]bool{}); way != nil {
				found = append(found, strings.Join(way, " imports "))
			}
		}
	}
	return found
}

// wayToHeavy is a way from a package to one of a heavy module; nil: there is none.
func wayToHeavy(pkgs map[string]pkg, path string, been map[string]bool) []string {
	if slices.ContainsFunc(heavy, func(prefix string) bool { return strings.HasPrefix(path, prefix) }) {
		return []string{path}
	}
	if been[path] {
		return nil
	}
	been[path] = true
	for _, imported := range pkgs[path].Imports {
		if way := wayToHeavy(pkgs, imported, been); way != nil {
			return append([]string{path}, way...)
		}
	}
	return nil
}

// placeOf finds the folder of a package of the project and its floor.
func placeOf(path string) (folder string, floor int, ok bool) {
	below, ours := strings.CutPrefix(path, module+"/")
	if !ours {
		return "", 0, false
	}
	for at := below; ; at = at[:strings.LastIndexByte(at, '/')] {
		if floor, ok := floors[at]; ok {
			return at, floor, true
		}
		if !strings.Contains(at, "/") {
			return "", 0, false
		}
	}
}

// isOurs reports whether path is of this module; this package itself is left out,
// for nothing can import it.
func isOurs(path string) bool {
	return strings.HasPrefix(path, module) && path != module+"/internal/house"
}

// list is what go list says of packages.
func list(t *testing.T, args ...string) map[string]pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Imports,TestImports,XTestImports"}, args...)...)
	cmd.Dir = root(t)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.Bytes())
	}
	pkgs := map[string]pkg{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs[p.ImportPath] = p
	}
	if _, ok := pkgs[module+"/mesh"]; !ok {
		t.Fatalf("%s does not list %s/mesh", cmd, module)
	}
	return pkgs
}

func sorted(pkgs map[string]pkg) []pkg {
	return slices.SortedFunc(maps.Values(pkgs), func(a, b pkg) int { return strings.Compare(a.ImportPath, b.ImportPath) })
}

func report(t *testing.T, found []string) {
	t.Helper()
	for _, f := range found {
		t.Error(f)
	}
}
