import { MongoClient } from 'mongodb'

/** The official driver, by the string of the chart's connection secret and nothing else, as an application has it. */
export function mongodbClient(): MongoClient {
  const { URI: uri = '', CA_FILE: tlsCAFile } = process.env
  return new MongoClient(uri, {
    serverSelectionTimeoutMS: 5_000,
    ...(tlsCAFile === undefined ? {} : { tlsCAFile }),
  })
}

export interface Written {
  readonly _id: string
}

export const DATABASE = 'app'
export const COLLECTION = 'writes'
