package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// selfEvident are methods whose promise is that of the interface they implement.
var selfEvident = []string{"Error", "Unwrap", "Is", "String"}

func TestWhatIsExportedSaysWhatItPromises(t *testing.T) {
	dir := root(t)
	files := token.NewFileSet()
	documented := map[string]bool{} // folders whose package has a comment
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && path != dir && (name == "testdata" || strings.HasPrefix(name, ".") || isModule(path)):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder := filepath.Dir(path)
		documented[folder] = documented[folder] || file.Doc != nil
		if file.Name.Name == "main" {
			return nil // nobody imports a command
		}
		for _, name := range undocumented(file) {
			rel, _ := filepath.Rel(dir, path)
			t.Errorf("%s: %s is exported and has no comment", rel, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for folder, ok := range documented {
		if !ok {
			rel, _ := filepath.Rel(dir, folder)
			t.Errorf("the package in %s has no comment", rel)
		}
	}
}

func TestAMissingCommentIsNoticed(t *testing.T) {
	const source = `package p
type A int
func F() {}
func (A) M() {}
func (A) String() string { return "" }
func (b) M() {}
type b int
const (
	C = 1
	D = 2 // said
)
// said
var (
	V = 1
)
// said
func G() {}`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := undocumented(file), []string{"A", "F", "A.M", "C"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// isModule reports whether a folder is a module of its own: nobody imports it from this one.
func isModule(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil
}

// undocumented names what a file exports without a comment, in its order.
func undocumented(file *ast.File) (names []string) {
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if name, exported := nameOf(d); exported && d.Doc == nil {
				names = append(names, name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						names = append(names, s.Name.Name)
					}
				case *ast.ValueSpec:
					exported := slices.ContainsFunc(s.Names, (*ast.Ident).IsExported)
					if exported && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						names = append(names, s.Names[0].Name)
					}
				}
			}
		}
	}
	return names
}

// nameOf is the name of a function, with its receiver's type, and whether others
// can call it.
func nameOf(d *ast.FuncDecl) (name string, exported bool) {
	name = d.Name.Name
	if d.Recv == nil {
		return name, d.Name.IsExported()
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return fmt.Sprintf("%s.%s", x.Name, name), x.IsExported() && d.Name.IsExported() && !slices.Contains(selfEvident, name)
		default:
			return name, false
		}
	}
}
