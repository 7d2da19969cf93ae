/** Made-up people and shops. A few hold letters outside Latin-1, so that every page is real UTF-8. */
export const FIRST_NAMES = [
  'Ana',
  'Luis',
  'María',
  'José',
  'Chloé',
  'Noah',
  'Emma',
  'Łukasz',
  'Zoë',
  'Olivia',
  'Mateo',
  'Sofía',
  'Liam',
  'Ximena',
  'Émile',
  'Grace',
];
export const LAST_NAMES = [
  'Silva',
  'García',
  'Tremblay',
  'Smith',
  'Hernández',
  'Roy',
  'Nguyen',
  'Brown',
  'Muñoz',
  'Côté',
  'Lee',
  'Martínez',
  'Singh',
  '佐藤',
  'Gagnon',
  "O'Neil",
];
export const MERCHANTS = [
  'Café Lumière',
  'Northwind Outfitters',
  'Tacos El Güero',
  'Maple & Co',
  'Librería Cervantes',
  'Harbor Pharmacy',
  'Boutique Été',
  'Kiosk 東京',
  'Prairie Hardware',
  'Panadería La Luz',
];
export const COUNTRIES = ['US', 'CA', 'MX'];
export const CURRENCIES = ['USD', 'CAD', 'MXN'];
export const BRANDS = ['visa', 'mastercard', 'amex', 'carnet'];
export const CHANNELS = ['app', 'web', 'pos', 'api'];
export const DEVICES = ['ios', 'android', 'windows', 'terminal'];
export const LEVELS = ['low', 'medium', 'high'];
export const BANKS = ['BBVA', 'Banorte', 'RBC', 'TD', 'Chase', 'Scotiabank'];
