//! Instructions that reading a layer, folding and dive's figures take on a small layer made in code: numbers that are the same at
//! every run, however busy the machine is.
//!
//!     apt-get install valgrind
//!     cargo install gungraun-runner --version 0.20.0 --locked
//!     cargo bench -p plim-index --bench instructions
//!
//! A second run is compared with the one before.

#![expect(missing_docs, reason = "the macros make public items")]
#![expect(clippy::exit, reason = "the macro's main ends so")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has no result")]

use std::hint::black_box;
use std::sync::Arc;

use gungraun::{library_benchmark, library_benchmark_group, main};
use plim_index::{DiveFigures, Inventory, LayerIndex, dive_figures, fold, index_tar};
use plim_oci::tar::{Limits, TarError, TarWriter, read_layer};
use plim_oci::{EntryHead, EntryKind, ImageConfig, Platform};

/// Files of one layer.
const FILES: u32 = 400;

/// A layer as they are: mostly text of some kilobytes, a few programs, a package database and deletions.
fn tar(seed: u32) -> Vec<u8> {
    let mut tar = TarWriter::new(Vec::new());
    let mut put = |path: &str, kind: EntryKind, content: &[u8]| {
        let head = EntryHead { size: content.len() as u64, ..EntryHead::new(path, kind, 0o755) };
        tar.entry(&head, &mut &content[..]).unwrap();
    };
    let mut status = String::new();
    for number in 0..FILES {
        if number % 20 == 0 {
            put(&format!("usr/share/dir{}", number / 20), EntryKind::Dir, b"");
            status.push_str(&format!("Package: p{number}\nVersion: 1.{seed}\nStatus: install ok installed\n\n"));
        }
        let path = format!("usr/share/dir{}/file{number}", number / 20);
        let text = format!("line {number} of {seed}, and what else a text has: key=value\n").repeat(60);
        put(&path, EntryKind::File, text.as_bytes());
        if number % 50 == seed % 50 {
            put(&format!("usr/share/dir{}/.wh.file{number}", (number + 60) / 20), EntryKind::File, b"");
            // the header of a program and nothing that it promises
            let program =
                [&b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0"[..], &vec![7; 60_000]].concat();
            put(&format!("usr/bin/program{number}"), EntryKind::File, &program);
        }
    }
    put("var/lib/dpkg/status", EntryKind::File, status.as_bytes());
    tar.finish().unwrap()
}

fn indexes() -> Vec<Arc<LayerIndex>> {
    (0..3).map(|seed| Arc::new(index_tar(&tar(seed)[..]).unwrap())).collect()
}

#[library_benchmark]
#[bench::layer(tar(0))]
fn read_a_tar(tar: Vec<u8>) -> u64 {
    let mut bytes = 0;
    let mut buffer = vec![0; 64 << 10];
    let result = read_layer(black_box(&tar[..]), &Limits::default(), &mut |_, content| -> Result<(), TarError> {
        loop {
            match content.read(&mut buffer)? {
                0 => return Ok(()),
                count => bytes += count as u64,
            }
        }
    });
    result.unwrap();
    bytes
}

#[library_benchmark]
#[bench::layer(tar(0))]
fn index_a_layer(tar: Vec<u8>) -> LayerIndex {
    index_tar(black_box(&tar[..])).unwrap()
}

#[library_benchmark]
#[bench::three_layers(indexes())]
fn fold_layers(layers: Vec<Arc<LayerIndex>>) -> Inventory {
    fold(&ImageConfig::new(&Platform::new("linux", "amd64")), black_box(&layers))
}

#[library_benchmark]
#[bench::three_layers(indexes())]
fn count_as_dive(layers: Vec<Arc<LayerIndex>>) -> DiveFigures {
    dive_figures(black_box(&layers))
}

library_benchmark_group!(name = layers, benchmarks = [read_a_tar, index_a_layer, fold_layers, count_as_dive]);
main!(library_benchmark_groups = layers);
