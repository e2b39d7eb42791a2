/** Files that the bundle holds. */

declare module '*.ipynb' {
  const notebook: object;
  export default notebook;
}

declare module '*.jpg' {
  /** Where the page finds it. */
  const url: string;
  export default url;
}
