// Package fileorigin loads the files of a directory.
//
// Keys are paths below the directory, written with slashes: "css/site.css".
// Nothing outside the directory can be read, whatever the key and wherever
// symbolic links lead; links that stay inside are followed. Only regular files
// have values: directories, pipes, sockets and devices are not found, and are
// not opened.
//
// Each item carries an ETag made of the file's size and modification time, so
// that a file that has not changed is not read again. A file that is written
// twice within one tick of the file system's clock and keeps its size looks
// unchanged: replace files by renaming new ones over them.
package fileorigin
