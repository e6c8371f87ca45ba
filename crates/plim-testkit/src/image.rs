//! Images in a few lines.

use std::collections::BTreeMap;

use plim_oci::{BlobsMut, Compression, ContainerConfig, History, Image, ImageConfig, Layout, Platform, write};

use crate::LayerBuilder;

/// Builds an image of layers, lowest first.
#[derive(Debug, Clone)]
pub struct ImageBuilder {
    layers: Vec<LayerBuilder>,
    config: ImageConfig,
    compression: Compression,
    annotations: BTreeMap<String, String>,
}

impl Default for ImageBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ImageBuilder {
    /// Returns an image for linux/amd64 without layers, of gzip level 1.
    pub fn new() -> Self {
        Self {
            layers: Vec::new(),
            config: ImageConfig::new(&Platform::new("linux", "amd64")),
            compression: Compression::Gzip(1),
            annotations: BTreeMap::new(),
        }
    }

    /// Adds a layer, and the row of history that says what made it.
    #[must_use]
    pub fn layer(mut self, layer: LayerBuilder) -> Self {
        self.layers.push(layer);
        self
    }

    /// Sets the platform.
    #[must_use]
    pub fn platform(mut self, platform: &Platform) -> Self {
        self.config.architecture.clone_from(&platform.architecture);
        self.config.os.clone_from(&platform.os);
        self.config.variant.clone_from(&platform.variant);
        self
    }

    /// Changes how a container is run.
    #[must_use]
    pub fn config(mut self, change: impl FnOnce(&mut ContainerConfig)) -> Self {
        change(&mut self.config.config);
        self
    }

    /// Compresses the layers in another way.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Adds an annotation to the manifest.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Writes the image into a layout.
    pub fn write(&self, layout: &Layout) -> Image {
        let layers: Vec<_> = self.layers.iter().map(|layer| layer.write(layout, self.compression)).collect();
        let mut config = self.config.clone();
        config.history =
            layers.iter().map(|layer| History { created_by: layer.created_by.clone(), ..History::default() }).collect();
        write::image(layout, &config, &layers, &self.annotations).expect("the image can be written")
    }

    /// Writes the image into a layout and names it.
    pub fn write_as(&self, layout: &Layout, name: &str) -> Image {
        let image = self.write(layout);
        layout.tag(name, &image.descriptor).expect("the image can be named");
        image
    }
}
