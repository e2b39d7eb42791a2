// The default ids are hashes of absolute paths, by which every checkout would build another bundle.
module.exports = {
  module: { rules: [{ test: /\.ipynb$/, type: 'json' }] },
  optimization: { moduleIds: 'natural', chunkIds: 'natural' }
};
