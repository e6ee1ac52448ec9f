export { createMatrix, datasetColumn, type Matrix, type MatrixInput, matrixRows } from "./matrix.js";
export {
  type ColumnInput,
  createTable,
  isMissing,
  type NumberColumn,
  selectColumns,
  type Table,
  type TableColumn,
  type TextColumn,
  tableOfRecords,
  takeRows,
  withColumns,
} from "./table.js";
