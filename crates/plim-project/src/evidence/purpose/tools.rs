//! Tools that belong to no language.

use super::{Ecosystem, Purpose, operands};

/// Returns what a tool is for.
pub(super) fn of(name: &str, arguments: &[&str]) -> Option<Purpose> {
    Some(match name {
        "make" | "gmake" | "ninja" => match operands(arguments, &["-C", "-j", "-f"]).first() {
            Some(&("test" | "check" | "lint" | "tests")) => Purpose::Check,
            Some(&("clean" | "distclean" | "mrproper")) => Purpose::Cleanup,
            _ => Purpose::Build(Ecosystem::Other),
        },
        "cmake" | "meson" | "autoconf" | "automake" | "autoreconf" | "aclocal" | "libtoolize" | "gcc" | "g++"
        | "cc" | "c++" | "clang" | "clang++" | "ld" | "as" | "nasm" | "qmake" | "xmake" | "protoc" | "buf"
        | "thrift" | "flatc" | "swig" | "msgfmt" | "configure" | "autogen.sh" | "bootstrap" | "bjam" | "b2"
        | "premake5" | "just" | "task" | "doxygen" | "pandoc" | "pdflatex" | "latexmk" | "xelatex" | "rst2html"
        | "dot" | "ccache" | "checkinstall" | "dpkg-buildpackage" | "debuild" | "rpmbuild" | "abuild" | "makepkg"
        | "fpm" | "m4" | "bison" | "flex" | "gfortran" | "nvcc" | "mpicc" | "mpicxx" | "zig" | "crystal" | "nim"
        | "ghc" | "ocamlbuild" | "dune" | "dmd" | "dub" | "ldc2" | "catkin_make" | "catkin" | "colcon" | "sam"
        | "terraform" | "packer" | "zip2" | "asn1c" | "xsltproc" | "xmlstarlet" | "pkg-config" | "gettextize"
        | "bear" | "emcc" | "emmake" | "emconfigure" | "emsdk" | "genhtml" | "lcov" | "graphql-codegen"
        | "openapi-generator" | "swagger-codegen" | "gyp" | "gn" | "depmod" | "moc" | "rcc" | "lrelease"
        | "configure.py" | "mkbootimg" | "repack" | "libtool" | "intltoolize" | "ranlib" | "build-essential"
        | "kustomize" | "jsonnet" | "bosh" | "pulumi" | "ytt" | "cue" | "antlr4" | "m4sh" | "gtkdocize" => {
            Purpose::Build(Ecosystem::Other)
        }
        "docker-entrypoint.sh" | "entrypoint.sh" | "docker" | "kubectl" | "minikube" | "etcd" | "consul" | "vault" => {
            Purpose::Configuration
        }
        "." | "source" => {
            let path = arguments.first().copied().unwrap_or_default();
            let usual = [
                "activate",
                "env",
                ".bashrc",
                ".profile",
                ".zshrc",
                "nvm.sh",
                "setup.bash",
                "setup.sh",
                "rvm",
                "profile",
            ];
            let settings = ["/etc/", "/root/", "~", "$", "/opt/", "/usr/", "/home/"];
            if usual.iter().any(|end| path.ends_with(end)) || settings.iter().any(|start| path.starts_with(start)) {
                Purpose::Harmless
            } else {
                return None;
            }
        }
        _ => return None,
    })
}
