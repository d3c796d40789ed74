import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "postgresql",
  schema: "./src/schema/tables.ts",
  out: "./drizzle",
  // The journal that src/postgres/migrate.ts keeps, so that drizzle-kit's own commands look at the same one.
  migrations: { schema: "drizzle", table: "experience_bus_migrations" },
});
