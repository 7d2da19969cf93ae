import type { SnowflakeError } from './errors.ts';
import type { Finished, Query } from './query.ts';
import { wireColumn } from './rowset.ts';
import type { Session } from './session.ts';

/** Bodies as the service answers them. */

export const succeeded = (data: unknown): object => ({ data, code: null, message: null, success: true });

export const refusal = (error: SnowflakeError): object => ({ data: null, code: error.code, message: error.message, success: false });

export function failure(query: Query, error: SnowflakeError): object {
  return {
    data: {
      internalError: false,
      errorCode: error.code,
      age: 0,
      sqlState: error.sqlState,
      queryId: query.id,
      line: -1,
      pos: -1,
      type: 'COMPILATION',
    },
    code: error.code,
    message: error.message,
    success: false,
    headers: null,
  };
}

const stateOf = (session: Session): object => ({
  finalDatabaseName: session.database,
  finalSchemaName: session.schema,
  finalWarehouseName: session.warehouse,
  finalRoleName: session.role,
  databaseProvider: null,
});

export function finished(query: Query, { columns, rows, stats, typeId, children }: Finished): object {
  return succeeded({
    parameters: query.session.wireParameters(),
    rowtype: columns.map(wireColumn),
    rowset: rows,
    total: rows.length,
    returned: rows.length,
    queryId: query.id,
    ...stateOf(query.session),
    numberOfBinds: 0,
    arrayBindSupported: false,
    statementTypeId: typeId,
    version: 1,
    sendResultTime: 0,
    queryResultFormat: 'json',
    queryContext: { entries: [] },
    ...(stats ? { stats: { ...stats, numDmlDuplicates: 0 } } : {}),
    ...(children ? { resultIds: children.map(({ id }) => id).join(','), resultTypes: children.map(() => String(0x1000)).join(',') } : {}),
  });
}

/** 333333: it runs, ask again; 333334: it was asked for asynchronously. */
export const inProgress = (query: Query, isAsync: boolean): object => ({
  data: {
    getResultUrl: `/queries/${query.id}/result`,
    queryId: query.id,
    queryAbortsAfterSecs: 300,
    progressDesc: null,
    ...stateOf(query.session),
  },
  code: isAsync ? '333334' : '333333',
  message: isAsync ? 'Asynchronous execution in progress. Use provided query id to perform query monitoring and management.' : null,
  success: true,
});

export const loggedIn = (session: Session): object =>
  succeeded({
    masterToken: session.masterToken,
    token: session.token,
    validityInSeconds: 3600,
    masterValidityInSeconds: 14_400,
    displayUserName: session.user,
    serverVersion: '9.30.1',
    firstLogin: false,
    remMeToken: null,
    healthCheckInterval: 45,
    sessionId: Number(session.id),
    parameters: session.wireParameters(),
    sessionInfo: { databaseName: session.database, schemaName: session.schema, warehouseName: session.warehouse, roleName: session.role },
  });

export const renewed = (session: Session): object =>
  succeeded({
    sessionToken: session.token,
    validityInSecondsST: 3600,
    masterToken: session.masterToken,
    validityInSecondsMT: 14_400,
    sessionId: Number(session.id),
  });

const STATUS = { running: 'RUNNING', succeeded: 'SUCCESS', failed: 'FAILED_WITH_ERROR' } as const;

/** GET /monitoring/queries/{id} */
export const monitored = (query: Query): object =>
  succeeded({
    queries: [
      {
        id: query.id,
        status: STATUS[query.status],
        sqlText: query.sql,
        errorCode: query.error?.code ?? null,
        errorMessage: query.error?.message ?? null,
      },
    ],
  });
