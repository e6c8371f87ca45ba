//! The figures of dive.

use plim_index::{DiveFigures, WastedPath, dive_figures};

use crate::build::LayerBuilder;

fn figures(layers: &[LayerBuilder]) -> DiveFigures {
    let indexes: Vec<_> = layers.iter().map(LayerBuilder::index).collect();
    dive_figures(&indexes)
}

fn layer() -> LayerBuilder {
    LayerBuilder::new()
}

#[test]
fn all_copies_of_a_path_are_waste_and_the_smallest_one_counts() {
    let found = figures(&[layer().file("a", vec![0; 100]).file("b", vec![0; 50]), layer().file("a", vec![0; 60])]);
    assert_eq!(found.wasted_bytes, 160);
    assert!((found.efficiency - (60.0 + 50.0) / 210.0).abs() < 1e-12);
    assert!((found.user_wasted.unwrap() - 160.0 / 60.0).abs() < 1e-12);
    assert_eq!(found.wasted, [WastedPath { path: "a".into(), count: 2, bytes: 160 }]);
}

#[test]
fn a_deleted_file_counts_as_nothing_the_second_time() {
    let found = figures(&[layer().file("a", vec![0; 100]), layer().file(".wh.a", "").file("c", "1")]);
    assert_eq!(found.wasted_bytes, 100);
    assert!((found.efficiency - 1.0 / 101.0).abs() < 1e-12);
}

#[test]
fn a_deleted_directory_is_no_waste_by_this_definition() {
    let found = figures(&[
        layer().dir("d").file("d/a", vec![0; 100]).file("d/b", vec![0; 100]),
        layer().file(".wh.d", "").file("c", "1"),
    ]);
    assert_eq!(found.wasted_bytes, 0);
    // it is one path with all that was in it
    assert!((found.efficiency - 1.0).abs() < 1e-12);
}

#[test]
fn one_layer_has_no_user_part() {
    let found = figures(&[layer().file("a", "1")]);
    assert_eq!(found.user_wasted, None);
    assert!((found.efficiency - 1.0).abs() < 1e-12);
    assert!((figures(&[]).efficiency - 1.0).abs() < 1e-12);
}
