/** The user's settings, as `schema/plugin.json` describes them. */

import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

/** Follows the settings. Until they are read, both are off. */
export class Settings {
  /**
   * @param registry - JupyterLab's settings; null if there are none, so that the defaults hold.
   * @param plugin - The id under which ours are kept.
   */
  constructor(registry: ISettingRegistry | null, plugin: string) {
    this.ready = this._follow(registry, plugin);
  }

  /** Fulfilled when the settings were read. */
  readonly ready: Promise<void>;

  /** Emitted when a setting has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Whether the extension may be loaded in a kernel. */
  get loadExtension(): boolean {
    return this._values.loadExtension;
  }

  /** Whether a notebook is saved after a submit. */
  get saveAfterSubmit(): boolean {
    return this._values.saveAfterSubmit;
  }

  private async _follow(
    registry: ISettingRegistry | null,
    plugin: string
  ): Promise<void> {
    const settings = await registry?.load(plugin).catch(() => undefined);
    const read = (): void => {
      const isOn = (name: string): boolean =>
        settings?.get(name).composite === true;
      this._values = {
        loadExtension: isOn('loadExtension'),
        saveAfterSubmit: isOn('saveAfterSubmit')
      };
      this._changed.emit();
    };
    settings?.changed.connect(read);
    read();
  }

  private _values = { loadExtension: false, saveAfterSubmit: false };
  private readonly _changed = new Signal<this, void>(this);
}
